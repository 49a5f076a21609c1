//! A real OpenLDAP server for a test, on a free loopback port, and ways to spoil the line to it.
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, Mod};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The root of the tree.
pub const BASE: &str = "dc=example,dc=org";
/// Who reads it.
pub const READER: &str = "cn=reader,dc=example,dc=org";
/// The reader's password.
pub const PASSWORD: &str = "reader-secret";
const ROOT: &str = "cn=root,dc=example,dc=org";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A running server; dropping it ends it and deletes its data.
pub struct Slapd {
    /// `127.0.0.1:port`.
    pub address: String,
    /// Its folder.
    pub folder: PathBuf,
    child: Child,
}

/// A certificate of our own authority for 127.0.0.1.
pub struct Certificate {
    /// The authority, as PEM.
    pub authority: String,
    pub(super) chain: String,
    pub(super) key: String,
}

impl Certificate {
    /// A fresh authority and a certificate that it signed.
    pub fn fresh() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(params, authority_key);
        let server = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = server.signed_by(&key, &issuer).unwrap();
        Self { authority: authority.pem(), chain: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Slapd {
    /// Serves these entries below the base.
    pub async fn start(tree: &Tree) -> Self {
        Self::start_with(tree, None).await
    }

    /// Serves them to anybody, without a name.
    pub async fn start_open(tree: &Tree) -> Self {
        let mut slapd = Self::start(tree).await;
        slapd.stop();
        let file = slapd.folder.join("slapd.conf");
        let open = std::fs::read_to_string(&file).unwrap().replace(" read by * none", " read by * read");
        std::fs::write(&file, open).unwrap();
        slapd.resume().await;
        slapd
    }

    /// Serves them with StartTLS too.
    pub async fn start_with(tree: &Tree, certificate: Option<&Certificate>) -> Self {
        let unique = format!("rolecall-slapd-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(folder.join("data")).unwrap();
        std::fs::write(folder.join("load.ldif"), tree.ldif()).unwrap();
        std::fs::write(folder.join("slapd.conf"), configuration(&folder, certificate)).unwrap();
        if let Some(certificate) = certificate {
            std::fs::write(folder.join("chain.pem"), &certificate.chain).unwrap();
            std::fs::write(folder.join("key.pem"), &certificate.key).unwrap();
        }
        let loaded = Command::new(program())
            .args(["-Tadd", "-q", "-f"])
            .arg(folder.join("slapd.conf"))
            .arg("-l")
            .arg(folder.join("load.ldif"))
            .output()
            .unwrap();
        assert!(loaded.status.success(), "slapadd: {}", String::from_utf8_lossy(&loaded.stderr));
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        let child = serve(&folder, &address);
        let mut slapd = Self { address, folder, child };
        slapd.answers().await;
        slapd
    }

    /// Hides from the reader what `rule` names (`attrs=…`, `dn.exact="…"`), beside what was hidden before; nothing is
    /// hidden any more when it is empty.
    pub async fn hide(&mut self, rule: &str) {
        self.stop();
        let file = self.folder.join("slapd.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        let mut hidden = false;
        let shown: String = text
            .lines()
            .filter(|line| !std::mem::replace(&mut hidden, *line == "# hidden") && !hidden)
            .map(|line| format!("{line}\n"))
            .collect();
        let general = "access to attrs=userPassword";
        let more = format!("# hidden\naccess to {rule} by * none\n{general}");
        let text = if rule.is_empty() { shown } else { text.replacen(general, &more, 1) };
        std::fs::write(&file, text).unwrap();
        self.resume().await;
    }

    /// Ends the server process; its address refuses from now on.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again with the same data at the same address.
    pub async fn resume(&mut self) {
        self.child = serve(&self.folder, &self.address);
        self.answers().await;
    }

    async fn answers(&mut self) {
        for _ in 0..500 {
            if TcpStream::connect(&self.address).await.is_ok() {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "slapd ended; see {}", self.folder.display());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("slapd does not answer at {}", self.address);
    }

    /// A line with the right to change everything.
    pub async fn root(&self) -> Ldap {
        let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://{}", self.address)).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind(ROOT, "root-secret").await.unwrap().success().unwrap();
        ldap
    }

    /// Sets an attribute of an entry; no values remove it.
    pub async fn set(&self, dn: &str, attribute: &str, values: &[&str]) {
        let change = Mod::Replace(attribute, values.iter().copied().collect());
        self.root().await.modify(dn, vec![change]).await.unwrap().success().unwrap();
    }

    /// Deletes an entry.
    pub async fn delete(&self, dn: &str) {
        self.root().await.delete(dn).await.unwrap().success().unwrap();
    }

    /// Renames or moves an entry.
    pub async fn rename(&self, dn: &str, rdn: &str, below: Option<&str>) {
        self.root().await.modifydn(dn, rdn, true, below).await.unwrap().success().unwrap();
    }

    /// Adds what `Tree::user` describes.
    pub async fn add_user(&self, uid: &str) {
        let (dn, attributes) = entry_of(uid);
        let attributes = attributes.iter().map(|(name, value)| (*name, HashSet::from([value.as_str()]))).collect();
        self.root().await.add(&dn, attributes).await.unwrap().success().unwrap();
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn serve(folder: &Path, address: &str) -> Child {
    // With a debug level it stays in the foreground.
    Command::new(program())
        .args(["-d", "0", "-h", &format!("ldap://{address}/"), "-f"])
        .arg(folder.join("slapd.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn program() -> PathBuf {
    let named = std::env::var_os("ROLECALL_TEST_SLAPD").map(PathBuf::from);
    let program = named.unwrap_or_else(|| PathBuf::from("/usr/sbin/slapd"));
    assert!(
        program.exists(),
        "the LDAP tests need OpenLDAP's slapd: run `cargo xtask test`, which installs it, or name it in ROLECALL_TEST_SLAPD"
    );
    program
}

fn configuration(folder: &Path, certificate: Option<&Certificate>) -> String {
    let first = |folders: &[&str], holding: &str| {
        let found = folders.iter().map(Path::new).find(|folder| folder.join(holding).exists());
        found.unwrap_or_else(|| panic!("none of {folders:?} holds {holding}")).display().to_string()
    };
    let schemas = first(&["/etc/ldap/schema", "/etc/openldap/schema"], "inetorgperson.schema");
    let modules = first(&["/usr/lib/ldap", "/usr/lib/openldap", "/usr/lib64/openldap"], "back_mdb.so");
    let folder = folder.display();
    let tls = match certificate {
        Some(_) => format!("TLSCertificateFile {folder}/chain.pem\nTLSCertificateKeyFile {folder}/key.pem\n"),
        None => String::new(),
    };
    format!(
        "modulepath {modules}\nmoduleload back_mdb.so\nmoduleload ppolicy.so\n\
         include {schemas}/core.schema\ninclude {schemas}/cosine.schema\ninclude {schemas}/inetorgperson.schema\n{tls}\
         attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )\n\
         objectclass ( 1.3.6.1.4.1.99999.7.1 NAME 'likeActiveDirectory' SUP top AUXILIARY MAY userAccountControl )\n\
         database mdb\nsuffix \"{BASE}\"\nrootdn \"{ROOT}\"\nrootpw root-secret\ndirectory {folder}/data\ndbnosync\n\
         index objectClass,entryUUID,uid,member eq\noverlay ppolicy\n\
         limits dn.exact=\"{READER}\" size.soft=500 size.hard=500 size.prtotal=unlimited\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"{READER}\" read by * none\n"
    )
}

/// Entries to start with.
#[derive(Default)]
pub struct Tree(String);

impl Tree {
    /// The usual folders and the reader.
    pub fn new() -> Self {
        let mut tree = Self::default();
        tree.entry(
            BASE,
            &[("objectClass", "organization"), ("objectClass", "dcObject"), ("o", "Example"), ("dc", "example")],
        );
        tree.entry(
            READER,
            &[
                ("objectClass", "organizationalRole"),
                ("objectClass", "simpleSecurityObject"),
                ("cn", "reader"),
                ("userPassword", PASSWORD),
            ],
        );
        for folder in ["people", "leavers", "groups"] {
            tree.entry(&format!("ou={folder},{BASE}"), &[("objectClass", "organizationalUnit"), ("ou", folder)]);
        }
        tree
    }

    /// Any entry.
    pub fn entry(&mut self, dn: &str, attributes: &[(&str, &str)]) -> &mut Self {
        writeln!(self.0, "dn:: {}", base64(dn)).unwrap();
        for (name, value) in attributes {
            writeln!(self.0, "{name}:: {}", base64(value)).unwrap();
        }
        self.0.push('\n');
        self
    }

    /// `uid=…,ou=people` with a mail address and a name.
    pub fn user(&mut self, uid: &str) -> &mut Self {
        let (dn, attributes) = entry_of(uid);
        let attributes: Vec<(&str, &str)> = attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.entry(&dn, &attributes)
    }

    /// `users` users named `u000`, `u001`, ….
    pub fn users(&mut self, count: usize) -> &mut Self {
        for number in 0..count {
            self.user(&format!("u{number:03}"));
        }
        self
    }

    /// `cn=…,ou=groups` with these members, by name.
    pub fn group(&mut self, name: &str, members: &[String]) -> &mut Self {
        let mut attributes = vec![("objectClass", "groupOfNames"), ("cn", name)];
        attributes.extend(members.iter().map(|member| ("member", member.as_str())));
        self.entry(&group_dn(name), &attributes)
    }

    fn ldif(&self) -> &str {
        &self.0
    }
}

fn entry_of(uid: &str) -> (String, Vec<(&'static str, String)>) {
    let attributes = vec![
        ("objectClass", "inetOrgPerson".to_owned()),
        ("uid", uid.to_owned()),
        ("cn", format!("Person {uid}")),
        ("sn", uid.to_owned()),
        ("givenName", "Person".to_owned()),
        ("mail", format!("{uid}@example.org")),
    ];
    (user_dn(uid), attributes)
}

/// The name of a user.
pub fn user_dn(uid: &str) -> String {
    format!("uid={uid},ou=people,{BASE}")
}

/// The name of a group.
pub fn group_dn(name: &str) -> String {
    format!("cn={name},ou=groups,{BASE}")
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A line to a server that stops once so many bytes of answers have passed, until it is let go on: what is done meanwhile
/// falls into the middle of a read.
pub struct Gate {
    /// Where to connect.
    pub address: String,
    reached: Arc<tokio::sync::Notify>,
    opened: Arc<tokio::sync::Notify>,
}

impl Gate {
    /// To `server`; of the first connection, so many bytes pass before it stops.
    pub async fn to(server: &str, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (reached, opened) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
        let (server, at, go) = (server.to_owned(), reached.clone(), opened.clone());
        tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(stopping(client, server.clone(), bytes, at, go));
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), u64::MAX));
            }
        });
        Self { address, reached, opened }
    }

    /// Waits until it stopped.
    pub async fn stopped(&self) {
        self.reached.notified().await;
    }

    /// Lets it go on.
    pub fn open(&self) {
        self.opened.notify_one();
    }
}

async fn stopping(
    client: TcpStream,
    server: String,
    bytes: usize,
    reached: Arc<tokio::sync::Notify>,
    opened: Arc<tokio::sync::Notify>,
) {
    let server = TcpStream::connect(server).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut left = Some(bytes);
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
        if let Some(more) = left {
            left = more.checked_sub(read);
            if left.is_none() {
                reached.notify_one();
                opened.notified().await;
            }
        }
        if to_client.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    asking.abort();
}

/// A line to a server that breaks or stalls once so many bytes of answers have passed.
pub struct Wire {
    /// Where to connect.
    pub address: String,
    limit: Arc<AtomicU64>,
}

impl Wire {
    /// To `server`, letting everything through.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let limit = Arc::new(AtomicU64::new(u64::MAX));
        let (server, shared) = (server.to_owned(), limit.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), shared.load(Ordering::Relaxed)));
            }
        });
        Self { address, limit }
    }

    /// Later connections are cut after so many bytes of answers.
    pub fn cut_after(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }
}

async fn carry(client: TcpStream, server: String, mut left: u64) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 4096];
    while left > 0 {
        let Ok(read) = from_server.read(&mut buffer).await else { break };
        if read == 0 {
            break;
        }
        let through = read.min(usize::try_from(left).unwrap_or(usize::MAX));
        left -= through as u64;
        if to_client.write_all(&buffer[..through]).await.is_err() {
            break;
        }
    }
    asking.abort();
}
