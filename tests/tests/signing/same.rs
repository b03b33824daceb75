//! The same spec, signed on both engines: the same package but for the signature.

mod buildkit {
    use std::fs;

    use dalec_e2e::engine::Engine;
    use dalec_e2e::openpgp::Key;

    use crate::real::{sign, signed};
    use crate::spec::{args, build};

    #[test]
    fn the_package_is_the_same_on_both_engines() {
        let key = Key::generate("a@example.org");
        let (here, there, unsigned) = (signed(&key), signed(&key), signed(&key));
        let (here, there) = (sign(Engine::Embedded, &here, &key), sign(Engine::Inside, &there, &key));
        build(Engine::Embedded, &unsigned).args(args(&["DALEC_SKIP_SIGNING=1"])).succeeds();
        let unsigned = fs::read(unsigned.output(".deb")).unwrap();
        assert!(here.starts_with(&unsigned) && there.starts_with(&unsigned));
        assert!(here.len() > unsigned.len() && there.len() > unsigned.len());
    }
}
