//! Programs for Windows by `dalec build --engine buildkit`: our frontend is in the client, the graph on the daemon.

mod buildkit {
    use dalec_e2e::engine::Engine;

    #[test]
    fn a_program_with_its_library() {
        crate::zip::a_program_with_its_library(Engine::Against);
    }

    #[test]
    fn files_are_where_windows_looks() {
        crate::container::files_are_where_windows_looks(Engine::Against);
    }
}
