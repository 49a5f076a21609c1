//! `config check` and `serve` read a configuration with the same eyes: what one refuses the other does too.
use std::process::{Command, Stdio};

const WRONG: &[(&str, &str)] = &[
    ("[outbound]\nallowed_networks = [\"10.1.2.3/8\"]", "10.0.0.0/8"),
    ("[outbound]\nallowed_networks = [\"10.0.0.0/33\"]", "outbound.allowed_networks"),
    ("[outbound]\nca_file = \"nowhere.pem\"", "outbound.ca_file"),
    ("[outbound]\nca_file = \"wrong.toml\"", "outbound.ca_file"),
    ("[server]\ntrusted_proxies = [\"fd00::1/8\"]", "fd00::/8"),
    ("[server]\nlisten = \"here\"", "server.listen"),
    ("[server]\npublic_url = \"https://x/y\"", "server.public_url"),
    ("[server.tls]\ncertificate = \"nowhere.pem\"\nkey = \"nowhere.pem\"", "server.tls"),
    ("[server.tls]\ncertificate = \"wrong.toml\"\nkey = \"wrong.toml\"", "server.tls"),
    ("[log]\nfilter = \"rolecall=loud\"", "log.filter"),
    ("[secrets]\nencryption_keys = \"short\"", "secrets.encryption_keys"),
    ("[secrets]\nencryption_key_file = \"nowhere.key\"", "secrets.encryption_key_file"),
    ("[store]\ndatabase_url = \"mysql://x/y\"", "store.database_url"),
    ("[store]\ndatabase_url = \"postgres://[\"", "store.database_url"),
    ("[setup]\ncatalog = \"grove\"", "setup.catalog"),
    ("[setup]\nowner_login_name = \" \"", "setup.owner_login_name"),
    ("[setup]\nroot_partner_name = \"a\\nb\"", "setup.root_partner_name"),
    ("[server]\nlisten = \"127.0.0.1:4321\"\n[metrics]\nlisten = \"127.0.0.1:4321\"", "metrics.listen"),
];

fn refused(folder: &std::path::Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command.args(arguments).args(["--config", "wrong.toml"]).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ROLECALL_")) {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_serve_refuses_is_refused_by_the_check_in_the_same_words() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().to_owned();
    for (text, named) in WRONG {
        std::fs::write(folder.join("wrong.toml"), text).unwrap();
        let check = refused(&folder, &["config", "check"]);
        assert!(check.contains(named), "{text}: {check}");
        assert_eq!(check, refused(&folder, &["serve"]), "{text}");
        assert!(!folder.join("data").exists(), "nothing was made: {text}");
    }
    // Several at once are told at once.
    std::fs::write(folder.join("wrong.toml"), "[log]\nfilter = \"a=b\"\n[setup]\ncatalog = \"grove\"").unwrap();
    let check = refused(&folder, &["config", "check"]);
    assert!(check.contains("log.filter") && check.contains("setup.catalog"), "{check}");
}
