//! Keeps the symbols of other crates inside the library: what it offers is `qamd_*` alone.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // iceoryx2 gives one of its functions a C name. Crates are archives to the linker.
    println!("cargo::rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
}
