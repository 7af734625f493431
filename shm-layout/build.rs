//! Compiles the shim over Boost, for the feature `qamddata`.

fn main() {
    println!("cargo:rerun-if-changed=cpp/qamddata_shim.cpp");
    println!("cargo:rerun-if-env-changed=QAMD_BOOST_INCLUDE");
    #[cfg(feature = "qamddata")]
    shim::compile();
}

#[cfg(feature = "qamddata")]
mod shim {
    const HEADER: &str = "boost/interprocess/managed_shared_memory.hpp";

    pub(crate) fn compile() {
        let mut build = cc::Build::new();
        build.cpp(true).std("c++17").file("cpp/qamddata_shim.cpp");
        if let Some(include) = std::env::var_os("QAMD_BOOST_INCLUDE") {
            // As a system's, so that its warnings are not ours.
            build.flag("-isystem").flag(include);
        }
        if !has_boost(&build) {
            println!(
                "cargo::error={HEADER} is not there: install Boost's headers (Debian/Ubuntu: apt-get install libboost-dev), \
                 or set QAMD_BOOST_INCLUDE to the directory that has them"
            );
            std::process::exit(1);
        }
        build.compile("qamddata_shim");
    }

    fn has_boost(build: &cc::Build) -> bool {
        let mut command = build.get_compiler().to_command();
        command.args(["-E", "-x", "c++", "-include", HEADER, "/dev/null", "-o", "/dev/null"]);
        command.output().is_ok_and(|output| output.status.success())
    }
}
