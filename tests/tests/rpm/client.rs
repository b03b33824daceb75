//! Packages and containers by `dalec build --engine buildkit`: our frontend is in the client, the graph on the daemon.

mod buildkit {
    use dalec_e2e::engine::Engine;

    #[test]
    fn a_c_program_becomes_a_package() {
        crate::package::a_c_program_becomes_a_package(Engine::Against);
    }

    #[test]
    fn what_cannot_be_installed_is_said() {
        crate::package::what_cannot_be_installed_is_said(Engine::Against);
    }

    #[test]
    fn a_container_of_what_the_package_needs() {
        crate::containers::a_container_of_what_the_package_needs(Engine::Against);
    }

    #[test]
    fn what_the_package_depends_on_alone() {
        crate::containers::what_the_package_depends_on_alone(Engine::Against);
    }

    #[test]
    fn it_is_there_for_the_phases_that_it_is_for() {
        crate::repositories::it_is_there_for_the_phases_that_it_is_for(Engine::Against);
    }

    #[test]
    fn the_package_follows_from_the_build_root() {
        crate::debug::the_package_follows_from_the_build_root(Engine::Against);
    }
}
