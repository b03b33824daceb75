//! Building for processors whose programs do not run on the machine: what compilers call them, and the environment that
//! tells build tools what they build for.

use dalec_llb::Platform;

use crate::error::PlanError;
use crate::request::Request;

/// Shell functions for steps that build packages; read before their scripts.
pub(crate) const SCRIPT: &str = include_str!("cross.sh");

/// A processor that is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Processor {
    /// What GCC's and binutils' programs for it start with, for example `aarch64-linux-gnu`.
    pub gnu: &'static str,
    /// What Rust calls it.
    rust: &'static str,
    /// What of an `arm` Go is to use.
    go_arm: &'static str,
}

impl Processor {
    /// Returns the processor that is built for, when it is not one whose programs run; none for packages that are for all.
    ///
    /// # Errors
    /// [`PlanError::Invalid`] if compilers have no name for it.
    pub fn of(request: &Request<'_>) -> Result<Option<Self>, PlanError> {
        let foreign = request.options.foreign.as_ref().filter(|_| !request.spec.noarch);
        foreign.map(Self::find).transpose()
    }

    fn find(platform: &Platform) -> Result<Self, PlanError> {
        if platform.os != "linux" {
            return Err(PlanError::Invalid {
                message: format!("packages of this distribution are for Linux, not for {platform}"),
                spans: Vec::new(),
                hint: Some("choose a platform of Linux, for example `--platform linux/amd64`".into()),
            });
        }
        let (gnu, rust, go_arm) = match (platform.architecture.as_str(), platform.variant.as_str()) {
            ("amd64", _) => ("x86_64-linux-gnu", "x86_64-unknown-linux-gnu", ""),
            ("arm64", _) => ("aarch64-linux-gnu", "aarch64-unknown-linux-gnu", ""),
            ("386", _) => ("i686-linux-gnu", "i686-unknown-linux-gnu", ""),
            ("arm", "v5") => ("arm-linux-gnueabi", "armv5te-unknown-linux-gnueabi", "5"),
            ("arm", "v6") => ("arm-linux-gnueabi", "arm-unknown-linux-gnueabi", "6"),
            ("arm", _) => ("arm-linux-gnueabihf", "armv7-unknown-linux-gnueabihf", "7"),
            ("ppc64le", _) => ("powerpc64le-linux-gnu", "powerpc64le-unknown-linux-gnu", ""),
            ("s390x", _) => ("s390x-linux-gnu", "s390x-unknown-linux-gnu", ""),
            ("riscv64", _) => ("riscv64-linux-gnu", "riscv64gc-unknown-linux-gnu", ""),
            ("mips64le", _) => ("mips64el-linux-gnuabi64", "mips64el-unknown-linux-gnuabi64", ""),
            _ => {
                return Err(PlanError::Invalid {
                    message: format!("nothing here compiles for {platform}, nor runs its programs"),
                    spans: Vec::new(),
                    hint: Some(
                        "build on such a machine, or register an emulator (QEMU user mode, binfmt_misc)"
                            .into(),
                    ),
                });
            }
        };
        Ok(Self { gnu, rust, go_arm })
    }

    /// Returns the environment of build steps for `platform`; Go and Rust need no more than this.
    pub fn environment(self, platform: &Platform) -> Vec<(String, String)> {
        let linker = format!("CARGO_TARGET_{}_LINKER", self.rust.to_ascii_uppercase().replace('-', "_"));
        let mut environment = vec![
            ("CARGO_BUILD_TARGET".to_owned(), self.rust.to_owned()),
            (linker, format!("{}-gcc", self.gnu)),
            ("GOOS".to_owned(), platform.os.clone()),
            ("GOARCH".to_owned(), platform.architecture.clone()),
        ];
        if !self.go_arm.is_empty() {
            environment.push(("GOARM".to_owned(), self.go_arm.to_owned()));
        }
        environment
    }
}
