#[test]
fn worker() {
    println!("{}", dalec_e2e::bases::cross_worker().context());
}
