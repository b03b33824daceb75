//! Paths inside of packages, as text.

/// Returns `path` joined to `dir`, absolute, with `.`, `..` and doubled slashes resolved; nothing climbs above `/`.
pub fn join(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in dir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Returns where a process in `dir` is once it changes to `path`: an absolute path counts alone.
pub fn change(dir: &str, path: &str) -> String {
    if path.starts_with('/') { join("/", path) } else { join(dir, path) }
}

/// Returns the last component of `path`.
pub fn base(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}
