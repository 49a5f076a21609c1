//! What was fetched from elsewhere, kept for a while. One visitor asks; whoever comes meanwhile waits a moment for that
//! answer, and is told when it does not come. A failure is remembered from its end on, so that it also counts where the
//! other side does not even refuse.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::error::{LoginError, LoginErrorKind};
use crate::clock::Running;
use crate::domain::time::Timestamp;

/// How long a fetched thing is used without asking again, in seconds.
pub(super) const FRESH: i64 = 3_600;
/// How long it is still used when asking again fails, in seconds.
pub(super) const STALE: i64 = 24 * 3_600;
/// How long a failure is answered from memory, in seconds: a dead provider is not asked by every visitor.
pub(super) const FAILED: i64 = 5;
/// The shortest time between two fetches that an unknown key causes, in seconds.
pub(super) const REFETCH: i64 = 30;
/// How old a request may be for others to wait for its answer, in milliseconds.
const PATIENCE: i64 = 1_000;

/// A fetched thing, or what became of asking for it.
pub(super) struct Fetched<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    value: Option<(Arc<T>, Timestamp)>,
    failure: Option<(LoginError, Timestamp)>,
    /// When it was last asked for because what is kept did not do.
    sought: Option<Timestamp>,
    under_way: Option<UnderWay<T>>,
}

type Answer<T> = Result<Arc<T>, LoginError>;

/// A request that was sent and has not been answered.
struct UnderWay<T> {
    since: Timestamp,
    answer: watch::Receiver<Option<Answer<T>>>,
}

/// What somebody who asks has to do.
enum Step<T> {
    Take(Answer<T>),
    Wait(watch::Receiver<Option<Answer<T>>>, Option<Duration>),
    Ask(watch::Sender<Option<Answer<T>>>),
}

impl<T> Default for Fetched<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { value: None, failure: None, sought: None, under_way: None })))
    }
}

impl<T> State<T> {
    fn younger_than(&self, now: Timestamp, seconds: i64) -> Option<Arc<T>> {
        let (value, since) = self.value.as_ref()?;
        (now < since.plus_seconds(seconds)).then(|| Arc::clone(value))
    }

    fn recent_failure(&self, now: Timestamp) -> Option<LoginError> {
        let (failure, since) = self.failure.as_ref()?;
        (now < since.plus_seconds(FAILED)).then(|| failure.clone())
    }

    /// Begins to ask, unless somebody does already or did a moment ago.
    fn ask(&mut self, now: Timestamp) -> Step<T> {
        if let Some(failure) = self.recent_failure(now) {
            return Step::Take(Err(failure));
        }
        // One whose sender is gone ended in a panic: nobody waits for an answer that cannot come.
        if let Some(UnderWay { since, answer }) = &self.under_way
            && answer.has_changed().is_ok()
        {
            if let Some((failure, _)) = &self.failure {
                return Step::Take(Err(failure.clone()));
            }
            let left = PATIENCE.saturating_sub(now.micros().saturating_sub(since.micros()) / 1_000);
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
            return Step::Wait(answer.clone(), Some(left));
        }
        let (sender, answer) = watch::channel(None);
        self.under_way = Some(UnderWay { since: now, answer });
        Step::Ask(sender)
    }

    /// Keeps what came of asking.
    fn keep(&mut self, outcome: Result<T, LoginError>, now: Timestamp) -> Answer<T> {
        self.under_way = None;
        match outcome {
            Ok(value) => {
                let value = Arc::new(value);
                self.value = Some((Arc::clone(&value), now));
                self.failure = None;
                Ok(value)
            }
            Err(refusal) => {
                self.failure = Some((refusal.clone(), now));
                Err(refusal)
            }
        }
    }
}

impl<T: Send + Sync + 'static> Fetched<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thing as it was last had, however long ago.
    pub(super) fn last(&self) -> Option<Arc<T>> {
        self.state().value.as_ref().map(|(value, _)| Arc::clone(value))
    }

    /// The thing, not older than [`FRESH`]; up to [`STALE`] when it cannot be had anew, or is just being asked for.
    pub(super) async fn fresh<F>(&self, time: &Running, ask: impl FnOnce() -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, LoginError>> + Send + 'static,
    {
        let (step, stale) = {
            let (mut state, now) = (self.state(), time.now());
            if let Some(young) = state.younger_than(now, FRESH) {
                return Ok(young);
            }
            let stale = state.younger_than(now, STALE);
            match (state.ask(now), stale) {
                (Step::Take(_) | Step::Wait(..), Some(stale)) => return Ok(stale),
                (step, stale) => (step, stale),
            }
        };
        let answer = self.take(step, time, ask).await;
        answer.or_else(|refusal| stale.ok_or(refusal))
    }

    /// The thing, asked for anew because the one that is kept did not do for what was there at `since`: at once, but not
    /// again within [`REFETCH`].
    pub(super) async fn again<F>(&self, time: &Running, since: Timestamp, ask: impl FnOnce() -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, LoginError>> + Send + 'static,
    {
        let step = {
            let (mut state, now) = (self.state(), time.now());
            let lately = state.sought.is_some_and(|sought| now < sought.plus_seconds(REFETCH))
                || state.value.as_ref().is_some_and(|(_, fetched)| *fetched >= since);
            match state.younger_than(now, STALE).filter(|_| lately && state.under_way.is_none()) {
                Some(known) => Step::Take(Ok(known)),
                None => {
                    let step = state.ask(now);
                    if matches!(step, Step::Ask(_)) {
                        state.sought = Some(now);
                    }
                    step
                }
            }
        };
        self.take(step, time, ask).await
    }

    async fn take<F>(&self, step: Step<T>, time: &Running, ask: impl FnOnce() -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, LoginError>> + Send + 'static,
    {
        let (mut answer, patience) = match step {
            Step::Take(answer) => return answer,
            Step::Wait(answer, patience) => (answer, patience),
            Step::Ask(sender) => {
                let answer = sender.subscribe();
                self.spawn(sender, *time, ask());
                (answer, None)
            }
        };
        let said = async move {
            let said = answer.wait_for(Option::is_some).await.ok().and_then(|said| said.clone());
            said.unwrap_or_else(|| Err(silent("the request was given up")))
        };
        match patience {
            None => said.await,
            Some(most) => tokio::time::timeout(most, said).await.unwrap_or_else(|_| {
                Err(silent("it is being asked and does not answer; the next visitor is told what came of it"))
            }),
        }
    }

    /// Asks apart from whoever wanted to know: somebody who leaves takes nothing away from the others.
    fn spawn<F>(&self, tell: watch::Sender<Option<Answer<T>>>, time: Running, asked: F)
    where
        F: Future<Output = Result<T, LoginError>> + Send + 'static,
    {
        let kept = Self(Arc::clone(&self.0));
        tokio::spawn(async move {
            let outcome = asked.await;
            let answer = kept.state().keep(outcome, time.now());
            tell.send_replace(Some(answer));
        });
    }
}

fn silent(detail: &str) -> LoginError {
    LoginError::new(LoginErrorKind::Unreachable, "provider.unreachable", detail)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;
    use crate::clock::Clock;

    /// Somewhere that answers when it is let.
    struct Elsewhere {
        kept: Fetched<usize>,
        asked: Arc<AtomicUsize>,
        let_go: Arc<Notify>,
        fails: bool,
        began: Timestamp,
    }

    impl Elsewhere {
        fn new(fails: bool) -> Arc<Self> {
            let (kept, asked, let_go) = (Fetched::default(), Arc::default(), Arc::new(Notify::new()));
            Arc::new(Self { kept, asked, let_go, fails, began: Clock.now() })
        }

        fn at(&self, seconds: f64) -> Running {
            Running::from(Timestamp::from_micros(self.began.micros() + (seconds * 1e6) as i64))
        }

        fn ask(&self) -> impl Future<Output = Result<usize, LoginError>> + Send + use<> {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            let (let_go, fails) = (Arc::clone(&self.let_go), self.fails);
            async move {
                let_go.notified().await;
                if fails { Err(LoginError::new(LoginErrorKind::Unreachable, "test.failed", "")) } else { Ok(number) }
            }
        }

        async fn fresh(&self, seconds: f64) -> Result<usize, &'static str> {
            let at = self.at(seconds);
            let answer = self.kept.fresh(&at, || self.ask());
            // Whoever would wait for good fails instead.
            let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("an answer in time");
            answer.map(|value| *value).map_err(|refusal| refusal.code)
        }

        async fn again(&self, seconds: f64) -> Result<usize, &'static str> {
            self.let_go.notify_one();
            let answer = self.kept.again(&self.at(seconds), self.at(seconds).now(), || self.ask()).await;
            answer.map(|value| *value).map_err(|refusal| refusal.code)
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn one_waits_and_the_rest_are_told() {
        let elsewhere = Elsewhere::new(true);
        let first = tokio::spawn({
            let elsewhere = Arc::clone(&elsewhere);
            async move { elsewhere.fresh(0.0).await }
        });
        while elsewhere.asked() == 0 {
            tokio::task::yield_now().await;
        }
        // Its request is older than anybody waits for; nothing of what they are told takes a moment.
        for tenth in 10..49 {
            assert_eq!(elsewhere.fresh(f64::from(tenth) / 10.0).await, Err("provider.unreachable"));
        }
        assert_eq!(elsewhere.asked(), 1);
        // The one who asked leaves; what came of it is known all the same, and later than when it began.
        first.abort();
        elsewhere.let_go.notify_one();
        while elsewhere.kept.state().under_way.is_some() {
            tokio::task::yield_now().await;
        }
        let (_, failed) = elsewhere.kept.state().failure.clone().unwrap();
        assert!(failed > elsewhere.began, "stamped at its end");
        assert_eq!(elsewhere.fresh(4.9).await, Err("test.failed"));
        assert_eq!(elsewhere.asked(), 1);
        // Once more, and again one alone waits: that it fails is known.
        let second = tokio::spawn({
            let elsewhere = Arc::clone(&elsewhere);
            async move { elsewhere.fresh(8.0).await }
        });
        while elsewhere.asked() == 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(elsewhere.fresh(8.1).await, Err("test.failed"), "at once, without a second of patience");
        elsewhere.let_go.notify_one();
        assert_eq!(second.await.unwrap(), Err("test.failed"));
        assert_eq!(elsewhere.asked(), 2);
    }

    #[tokio::test]
    async fn those_who_come_at_the_same_moment_share_one_answer() {
        let elsewhere = Elsewhere::new(false);
        let visitors = (0..10).map(|_| elsewhere.fresh(0.0));
        elsewhere.let_go.notify_one();
        let answers = futures_util::future::join_all(visitors).await;
        assert!(answers.iter().all(|answer| *answer == Ok(1)), "{answers:?}");
        assert_eq!(elsewhere.asked(), 1);
        assert_eq!(elsewhere.fresh(3_599.0).await, Ok(1));
        // While it is asked for anew, nobody else waits: what is known still serves.
        let renewing = tokio::spawn({
            let elsewhere = Arc::clone(&elsewhere);
            async move { elsewhere.fresh(3_700.0).await }
        });
        while elsewhere.asked() == 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(elsewhere.fresh(3_700.1).await, Ok(1));
        elsewhere.let_go.notify_one();
        assert_eq!(renewing.await.unwrap(), Ok(2));
    }

    #[tokio::test]
    async fn what_does_not_do_is_asked_for_at_once_and_then_seldom() {
        let elsewhere = Elsewhere::new(false);
        elsewhere.let_go.notify_one();
        assert_eq!(elsewhere.fresh(0.0).await, Ok(1));
        assert_eq!(elsewhere.again(0.1).await, Ok(2), "however young what is kept is");
        for second in 1..30 {
            assert_eq!(elsewhere.again(f64::from(second)).await, Ok(2));
        }
        assert_eq!(elsewhere.again(30.2).await, Ok(3));
        assert_eq!(elsewhere.asked(), 3);
    }
}
