//! The part of the command `aliascope` that runs networks, linked with libtorch; `aliascope` starts it.

/// Memory that is not there ends the program with a sentence.
#[global_allocator]
static MEMORY: aliascope::memory::Refusing = aliascope::memory::Refusing;

fn main() {
    aliascope::cli::main()
}
