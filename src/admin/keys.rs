//! The keys of the installation: whether a server has them all, and sealing everything anew under the first one.
use std::collections::BTreeMap;

use crate::domain::ctx::Ctx;
use crate::domain::id::{ConnectionId, Id as _};
use crate::secret::{KeyId, Keyring, SealFault, SealPurpose, SealedUnder};
use crate::store::extent::OperatorExtent;
use crate::store::key_check::{self, SealedSecret};
use crate::store::{Store, StoreError, Tx};

/// How many secrets are sealed anew in one transaction.
const AT_A_TIME: u32 = 200;

/// How many connections a message names.
const NAMED: usize = 10;

/// Why the keys will not do.
#[derive(Debug, thiserror::Error)]
pub enum KeysRefused {
    /// They are another installation's, or a new file was made beside an old database.
    #[error(
        "the keys of this server do not open what the installation sealed with its own: give every server the same \
         `secrets.encryption_key_file` or `secrets.encryption_keys`, or put back the key file of this installation"
    )]
    Others,
    /// Secrets are sealed under keys that this server has not.
    #[error(
        "a key is missing: {0}. Put the line of that key back into the key file, below the first one; it may go when a \
         server has started with both"
    )]
    Missing(String),
    /// The mark could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealFault),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares the keys with the mark of the installation and with every stored secret, seals anew what an older key
/// sealed, and leaves a mark under the first key. After it nothing that is stored needs an older key.
///
/// # Errors
/// [`KeysRefused`]; nothing was changed when a key is missing.
pub async fn confirm(store: &Store, ctx: &Ctx, keyring: &Keyring) -> Result<(), KeysRefused> {
    let mark = key_check::mark(&mut store.reader().await?).await?;
    if let Some(mark) = &mark {
        keyring.open(SealPurpose::Mark, mark).map_err(|_| KeysRefused::Others)?;
    }
    let by = OperatorExtent::assume();
    let seen = look(store, &by, keyring).await?;
    if !seen.missing.is_empty() {
        return Err(KeysRefused::Missing(seen.missing.iter().map(told).collect::<Vec<_>>().join("; ")));
    }
    seal_anew(store, ctx, &by, keyring).await?;
    // The mark comes last: under the first key, it says that everything is.
    if mark.is_none_or(|mark| keyring.under(&mark) != SealedUnder::First) {
        let mark = keyring.seal(ctx, SealPurpose::Mark, b"rolecall")?;
        store.write_serializable(async |tx: &mut Tx| key_check::set_mark(tx, &mark).await).await?;
    }
    Ok(())
}

/// What is wrong between the stored secrets and the keys of this server, in sentences.
///
/// # Errors
/// Only those of the store.
pub async fn findings(store: &Store, keyring: &Keyring) -> Result<Vec<String>, StoreError> {
    let seen = look(store, &OperatorExtent::assume(), keyring).await?;
    let mut findings: Vec<String> =
        seen.missing.iter().map(|one| format!("A key is missing: {}.", told(one))).collect();
    findings.extend(seen.older.iter().map(|one| {
        format!("Not sealed anew yet: {}. A start of the server with this key file does it; keep that key.", told(one))
    }));
    if !seen.closed.is_empty() {
        let named = names(&seen.closed);
        findings.push(format!(
            "The stored secrets of these connections do not open, because they are damaged or were given for other \
             settings: {named}. Give them again."
        ));
    }
    Ok(findings)
}

/// What the secrets need: connections by key.
#[derive(Default)]
struct Seen {
    missing: BTreeMap<KeyId, Vec<String>>,
    older: BTreeMap<KeyId, Vec<String>>,
    closed: Vec<String>,
}

async fn look(store: &Store, by: &OperatorExtent, keyring: &Keyring) -> Result<Seen, StoreError> {
    let mut seen = Seen::default();
    let mut after = first();
    loop {
        let secrets = key_check::secrets(&mut store.reader().await?, by, after, AT_A_TIME).await?;
        let Some(last) = secrets.last() else { return Ok(seen) };
        after = last.connection;
        for secret in secrets {
            let slug = secret.slug.clone();
            match keyring.under(&secret.sealed) {
                SealedUnder::Unknown(key) => seen.missing.entry(key).or_default().push(slug),
                _ if keyring.open(secret.purpose, &secret.sealed).is_err() => seen.closed.push(slug),
                SealedUnder::Older(key) => seen.older.entry(key).or_default().push(slug),
                SealedUnder::First | SealedUnder::Nothing => {}
            }
        }
    }
}

async fn seal_anew(store: &Store, ctx: &Ctx, by: &OperatorExtent, keyring: &Keyring) -> Result<(), KeysRefused> {
    let mut after = first();
    loop {
        let secrets = key_check::secrets(&mut store.reader().await?, by, after, AT_A_TIME).await?;
        let Some(last) = secrets.last() else { return Ok(()) };
        after = last.connection;
        let older = |secret: &SealedSecret| matches!(keyring.under(&secret.sealed), SealedUnder::Older(_));
        let mut anew = Vec::new();
        for secret in secrets.into_iter().filter(older) {
            // One that does not open is left for `findings` to tell: no key could make it good.
            let Ok(plain) = keyring.open(secret.purpose, &secret.sealed) else { continue };
            let sealed = keyring.seal(ctx, secret.purpose, &plain)?;
            anew.push((secret, sealed));
        }
        if anew.is_empty() {
            continue;
        }
        let anew = &anew;
        let write = async |tx: &mut Tx| -> Result<(), StoreError> {
            for (secret, sealed) in anew {
                key_check::reseal(tx, by, secret, sealed).await?;
            }
            Ok(())
        };
        store.write_serializable(write).await?;
    }
}

/// Before every connection.
fn first() -> ConnectionId {
    ConnectionId::from_uuid(uuid::Uuid::nil())
}

fn told((key, slugs): (&KeyId, &Vec<String>)) -> String {
    format!("the key {key} seals the secrets of {}", names(slugs))
}

fn names(slugs: &[String]) -> String {
    let named = slugs.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match slugs.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more connections"),
    }
}
