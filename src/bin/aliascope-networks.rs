//! The part of the command `aliascope` that runs networks, linked with libtorch; `aliascope` starts it.

fn main() {
    aliascope::cli::main()
}
