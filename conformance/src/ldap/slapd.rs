//! A slapd of our own on a free loopback port, loaded before it starts.

use super::authority::certify;
use super::{BASE, READER};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// A running directory server. Dropping it ends it.
pub struct Slapd {
    /// `host:port`, plain or StartTLS.
    pub address: String,
    /// `host:port`, TLS from the first byte.
    pub tls_address: String,
    /// Whom to trust for its certificate, as PEM.
    pub authority: String,
    _child: Child,
}

/// Attributes of other servers, with their registered identifiers, so that one slapd can hold
/// accounts switched off in their ways too.
const SCHEMA: &str = "\
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl'
  EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.4203.666.11.99.1 NAME 'labAccount' SUP top AUXILIARY
  MAY ( nsAccountLock $ userAccountControl ) )
";

impl Slapd {
    /// Loads the text and starts serving it.
    ///
    /// # Errors
    /// When the text does not load or slapd does not answer within 20 s; the message names its log.
    pub async fn start(program: &Path, folder: &Path, ldif: &str) -> Result<Slapd> {
        fs::create_dir_all(folder.join("data")).context("making slapd's folder")?;
        fs::write(folder.join("lab.schema"), SCHEMA).context("writing the schema")?;
        fs::write(folder.join("load.ldif"), ldif).context("writing the LDIF")?;
        let certified = certify()?;
        fs::write(folder.join("certificate.pem"), &certified.certificate).context("writing the certificate")?;
        fs::write(folder.join("key.pem"), &certified.key).context("writing the key")?;
        fs::write(folder.join("authority.pem"), &certified.authority).context("writing the authority")?;
        let config = folder.join("slapd.conf");
        fs::write(&config, configuration(folder)?).context("writing slapd.conf")?;
        load(program, folder, &config).await?;
        let (address, tls_address) = (free_address().await?, free_address().await?);
        let log = folder.join("slapd.log");
        let mut child = Command::new(program)
            // With a debug level it stays in the foreground.
            .args(["-d", "0", "-h", &format!("ldap://{address}/ ldaps://{tls_address}/"), "-f"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).context("making the log")?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let up = async {
            while TcpStream::connect(&address).await.is_err() {
                if let Ok(Some(status)) = child.try_wait() {
                    bail!("slapd ended at once ({status}); see {}", log.display());
                }
                sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        timeout(Duration::from_secs(20), up).await.context("slapd does not answer")??;
        Ok(Slapd { address, tls_address, authority: certified.authority, _child: child })
    }
}

/// Without schema checks: groups without members break the standard schema, yet other servers
/// have them.
async fn load(program: &Path, folder: &Path, config: &Path) -> Result<()> {
    let output = Command::new(program)
        .args(["-Tadd", "-q", "-s", "-f"])
        .arg(config)
        .arg("-l")
        .arg(folder.join("load.ldif"))
        .output()
        .await
        .context("slapadd")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("slapadd: {}", said.lines().rev().take(5).collect::<Vec<_>>().join(" / "));
    }
    Ok(())
}

/// An unpaged search is cut off at 500 entries, as on a careful server; a paged one is not.
fn configuration(folder: &Path) -> Result<String> {
    let schemas = first_folder(&["/etc/ldap/schema", "/etc/openldap/schema"], "inetorgperson.schema")?;
    let modules = first_folder(&["/usr/lib/ldap", "/usr/lib/openldap", "/usr/lib64/openldap"], "back_mdb.so")?;
    let includes: String = ["core", "cosine", "inetorgperson"]
        .iter()
        .map(|name| format!("include {}\n", schemas.join(name).with_extension("schema").display()))
        .collect();
    let (modules, folder) = (modules.display(), folder.display());
    Ok(format!(
        "modulepath {modules}\nmoduleload back_mdb.so\nmoduleload ppolicy.so\n{includes}\
         include {folder}/lab.schema\npidfile {folder}/slapd.pid\n\
         TLSCACertificateFile {folder}/authority.pem\nTLSCertificateFile {folder}/certificate.pem\n\
         TLSCertificateKeyFile {folder}/key.pem\n\
         database mdb\nsuffix \"{BASE}\"\ndirectory {folder}/data\nmaxsize 1073741824\n\
         dbnosync\nindex objectClass,entryUUID,uid,cn,member eq\n\
         overlay ppolicy\n\
         limits dn.exact=\"{READER}\" size.soft=500 size.hard=500 size.prtotal=unlimited\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"{READER}\" read by * none\n"
    ))
}

async fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string())
}

fn first_folder(folders: &[&str], holding: &str) -> Result<PathBuf> {
    let found = folders.iter().map(PathBuf::from).find(|folder| folder.join(holding).exists());
    found.with_context(|| format!("none of {folders:?} holds {holding}"))
}
