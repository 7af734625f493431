//! Compiles the shim over Boost, for the feature `qamddata`.

use std::process::Command;

const SHIM: &str = "cpp/qamddata_shim.cpp";
const HEADER: &str = "boost/interprocess/managed_shared_memory.hpp";

fn main() {
    println!("cargo:rerun-if-changed={SHIM}");
    println!("cargo:rerun-if-env-changed=QAMD_BOOST_INCLUDE");
    if std::env::var_os("CARGO_FEATURE_QAMDDATA").is_none() {
        return;
    }
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").file(SHIM).flag_if_supported("-Wno-unused-parameter");
    if let Some(include) = std::env::var_os("QAMD_BOOST_INCLUDE") {
        // As a system's, so that its warnings are not ours.
        build.flag("-isystem").flag(include);
    }
    if !has_boost(&build) {
        println!(
            "cargo:error={HEADER} is not there: install Boost's headers (Debian/Ubuntu: apt-get install libboost-dev), \
             or set QAMD_BOOST_INCLUDE to the directory that has them"
        );
        std::process::exit(1);
    }
    build.compile("qamddata_shim");
}

fn has_boost(build: &cc::Build) -> bool {
    let compiler = build.get_compiler();
    let mut command: Command = compiler.to_command();
    command.args(["-E", "-x", "c++", "-include", HEADER, "/dev/null", "-o", "/dev/null"]);
    command.output().is_ok_and(|output| output.status.success())
}
