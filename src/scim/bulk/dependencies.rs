//! The order in which operations run.
//!
//! The order of the request, except that an operation waits for those it
//! refers to. Where references go in a circle, one POST runs without the part
//! that closes it, and the part is added once the other side exists.

use std::collections::{HashMap, HashSet};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExecutionStep {
    /// Run an operation without what refers to `without`.
    Run { entry: usize, without: Vec<String> },
    /// Add to an operation's resource what was left out.
    Complete { entry: usize },
}

/// `references[i]`: the names entry `i` refers to; `makers`: which entry makes
/// the resource of a name.
pub(super) fn steps(references: &[Vec<String>], makers: &HashMap<&str, usize>) -> Vec<ExecutionStep> {
    let mut order = Order {
        references,
        makers,
        states: vec![State::New; references.len()],
        open: Vec::new(),
        steps: Vec::with_capacity(references.len()),
    };
    for entry in 0..references.len() {
        order.visit(entry);
    }
    order.steps
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Waiting,
    Done,
}

struct Order<'a> {
    references: &'a [Vec<String>],
    makers: &'a HashMap<&'a str, usize>,
    states: Vec<State>,
    /// Entries that ran without something, and the entries they lack.
    open: Vec<(usize, HashSet<usize>)>,
    steps: Vec<ExecutionStep>,
}

impl Order<'_> {
    /// Depth first, with a stack of its own: chains may be as long as the
    /// request.
    fn visit(&mut self, first: usize) {
        let mut stack = vec![(first, 0)];
        while let Some((entry, next)) = stack.pop() {
            if next == 0 {
                match self.states.get_mut(entry) {
                    Some(state) if *state == State::New => *state = State::Waiting,
                    _ => continue,
                }
            }
            let names = self.references.get(entry).map_or(&[][..], Vec::as_slice);
            match names.get(next) {
                Some(name) => {
                    stack.push((entry, next + 1));
                    let maker = self.makers.get(name.as_str());
                    if let Some(&maker) = maker.filter(|maker| self.states.get(**maker) == Some(&State::New)) {
                        stack.push((maker, 0));
                    }
                }
                None => self.run(entry, names),
            }
        }
    }

    fn run(&mut self, entry: usize, names: &[String]) {
        let lacks = |name: &&String| {
            let maker = self.makers.get(name.as_str());
            maker.is_some_and(|maker| self.states.get(*maker) != Some(&State::Done))
        };
        let without: Vec<String> = names.iter().filter(lacks).cloned().collect();
        if !without.is_empty() {
            let makers = without.iter().filter_map(|name| self.makers.get(name.as_str()).copied());
            self.open.push((entry, makers.collect()));
        }
        if let Some(state) = self.states.get_mut(entry) {
            *state = State::Done;
        }
        self.steps.push(ExecutionStep::Run { entry, without });
        for (waiting, lacking) in &mut self.open {
            if lacking.remove(&entry) && lacking.is_empty() {
                self.steps.push(ExecutionStep::Complete { entry: *waiting });
            }
        }
        self.open.retain(|(_, lacking)| !lacking.is_empty());
    }
}
