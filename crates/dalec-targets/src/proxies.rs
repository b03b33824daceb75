//! How package managers are told of proxies: the functions of `proxies.sh`, which their scripts start with.

/// Returns the environment of a package manager's script; `without` leaves proxies to the package manager's own ways.
pub(crate) fn environment(without: bool) -> Option<(String, String)> {
    without.then(|| ("DALEC_DISABLE_PROXY_CONFIG".to_owned(), "1".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    const SCRIPT: &str = include_str!("proxies.sh");

    /// Runs `commands` after the functions, in `folder`, with `environment` alone.
    fn run(folder: &Path, environment: &[(&str, &str)], commands: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-euc", &format!("{SCRIPT}\nwork=.\n{commands}")]).current_dir(folder);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let done = command.envs(environment.iter().copied()).output().expect("a shell");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    }

    const APT: &str = "echo authority >ca; use_proxies . ./ca
        [ -z \"$proxied\" ] || { apt_setting Acquire::http::Proxy \"$http_proxy\"; echo \"$no_proxy\"; }";

    /// BLD-013: either spelling will do, and a value stays one.
    #[test]
    fn a_proxy_of_the_environment_is_told() {
        let folder = tempfile::tempdir().expect("a directory");
        let system = folder.path().join("system.crt");
        fs::write(&system, "system\n").expect("a file");
        let system = ("DALEC_RPM_PROXY_CA_BUNDLE", system.to_str().expect("text"));
        for name in ["HTTP_PROXY", "http_proxy"] {
            let environment =
                [(name, "http://a:\"b\\@proxy.example.org"), ("NO_PROXY", "example.com"), system];
            assert_eq!(
                run(folder.path(), &environment, APT),
                "Acquire::http::Proxy \"http://a:\\\"b\\\\@proxy.example.org\";\nexample.com\n"
            );
        }
        let authorities = fs::read_to_string(folder.path().join("authorities.crt")).expect("both");
        assert_eq!(authorities, "authority\nsystem\n");
        assert_eq!(run(folder.path(), &[], APT), "");
        let off = [("HTTP_PROXY", "http://proxy.example.org"), ("DALEC_DISABLE_PROXY_CONFIG", "1"), system];
        assert_eq!(run(folder.path(), &off, APT), "");
    }

    /// BLD-013: the authority of BuildKit's proxy is trusted for one installation.
    #[test]
    fn an_authority_is_trusted_and_forgotten() {
        let folder = tempfile::tempdir().expect("a directory");
        let block = "# buildkit proxy CA begin\nown\n# buildkit proxy CA end\n";
        fs::write(folder.path().join("bundle"), format!("a\n{block}b\n")).expect("a file");
        fs::write(folder.path().join("trusted"), "c\n").expect("a file");
        let commands = "bundle=bundle\ntrust_proxy trusted\ncat trusted\ndistrust_proxy";
        assert_eq!(run(folder.path(), &[], commands), format!("c\n{block}"));
        let trusted = || fs::read_to_string(folder.path().join("trusted")).expect("a file");
        assert_eq!(trusted(), "c\n");
        // What is trusted anyway stays.
        fs::write(folder.path().join("trusted"), block).expect("a file");
        run(folder.path(), &[], commands);
        assert_eq!(trusted(), block);
    }
}
