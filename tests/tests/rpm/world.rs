//! What the other tests stand on: an RPM distribution in which things can be built and installed.

mod buildkit {
    use dalec_e2e::buildkit::Buildkit;
    use dalec_e2e::rpm_world;
    use dalec_e2e::run::Project;

    /// Installs a library with its headers, builds a package with it, and asks rpm whether all files are as installed.
    const DOCKERFILE: &str = "\
FROM worker
COPY test.spec test.c /src/
RUN --network=none dnf -y install zlib-devel && cp /src/test.c . && rpmbuild -bb --define '_sourcedir /src' --define '_rpmdir /out' /src/test.spec
RUN --network=none dnf -y install /out/*/*.rpm && zlib-version > /out/said && dnf check && rpm -Va --nomtime --nomode > /out/verified || true
FROM scratch
COPY --from=0 /out /
";

    const SPEC: &str = "\
Name: zlib-version
Version: 1
Release: 1%{?dist}
Summary: Says which zlib it has
License: MIT
Source0: test.c
BuildRequires: gcc, zlib-devel
%description
%summary
%build
gcc -o zlib-version %{SOURCE0} -lz
%install
install -D zlib-version %{buildroot}%{_bindir}/zlib-version
%files
%{_bindir}/zlib-version
";

    #[test]
    fn packages_are_installed_and_built() {
        let project = Project::new("");
        project.write("Dockerfile", DOCKERFILE);
        project.write("test.spec", SPEC);
        project
            .write("test.c", "#include <stdio.h>\n#include <zlib.h>\nint main() { puts(zlibVersion()); }\n");
        let buildx = Buildkit::shared().buildx(&project.path(""));
        let context = format!("worker={}", rpm_world::worker("azlinux3").context());
        buildx.args(["--build-context", &context, "--output", "out", "."]).succeeds();
        assert!(project.outputs().contains(&"x86_64/zlib-version-1-1.azl3.x86_64.rpm".to_owned()));
        let said = std::fs::read_to_string(project.output("said")).unwrap();
        assert!(said.starts_with("1."), "{said}");
        assert_eq!(std::fs::read_to_string(project.output("verified")).unwrap(), "");
    }
}
