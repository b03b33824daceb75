//! What our images start: the parts of `dalec` that a build engine needs, without the command line.

fn main() {
    std::process::exit(dalec::main_of_image());
}
