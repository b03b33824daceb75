use dalec_bootstrap::*;
use std::process::Command;
use std::time::{Instant, SystemTime};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let t = Instant::now();
    let sources = AptSources::from_host("/etc/apt".as_ref())?;
    let keyring = Keyring::debian();
    let http = Http::new(&HttpOptions::default())?;
    let cache = Cache::open("/tmp/bootstrap/cache".as_ref())?;
    println!("setup {:?} {sources:?}", t.elapsed());
    let t = Instant::now();
    let request =
        Request { suite: args[1].clone(), architecture: "amd64".into(), packages: args[3..].to_vec() };
    let r = resolve(
        &request,
        &sources,
        Trust { keyring: &keyring, now: SystemTime::now() },
        &http,
        &cache,
        &Silent,
    );
    let r = match r {
        Ok(r) => r,
        Err(e) => {
            println!("{e}\n{:?}\n{e:?}", e.hint());
            return Ok(());
        }
    };
    println!("resolve {:?} {}", t.elapsed(), r.origin);
    let t = Instant::now();
    fetch(&r.recipe, &http, &cache, &Silent)?;
    println!("fetch {:?} {} bytes", t.elapsed(), r.recipe.download_size());
    let t = Instant::now();
    let root = std::path::Path::new(&args[2]);
    std::fs::create_dir_all(root)?;
    let o = UnpackOptions::default();
    let u = unpack(&r.recipe, &cache, root, o, &Silent)?;
    println!("unpack {:?}", t.elapsed());
    let t = Instant::now();
    configure(&r.recipe, root, u, o, &mut |c| {
        let t = Instant::now();
        let status = Command::new("/usr/bin/unshare").args(["--mount","--ipc","--net","--pid","--fork","/bin/sh","-ec","mount --rbind /dev \"$0/dev\"; mount -t proc proc \"$0/proc\"; exec /usr/sbin/chroot \"$0\" \"$@\""]).arg(root).args(&c.args).env_clear().envs(c.env.iter().cloned()).status()?;
        println!("{} {:?}", c.purpose, t.elapsed());
        if status.success() { Ok(()) } else { Err(format!("{status}").into()) }
    })?;
    println!("configure {:?}", t.elapsed());
    Ok(())
}
