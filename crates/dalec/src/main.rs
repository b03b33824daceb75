//! The `dalec` command.

fn main() {
    std::process::exit(dalec::main());
}
