//! Generates the stubs from the protos of the checkout. protoc comes from a crate.

use std::path::Path;

/// The folder with `proto` and `third_party/proto`: in a project with copies of them, ".".
const ROOT: &str = "../..";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = Path::new(ROOT).join("proto");
    let mut files = Vec::new();
    for entry in protos.join("modelregistry/v1").read_dir()? {
        files.push(entry?.path());
    }
    let mut config = tonic_prost_build::Config::new();
    config.protoc_executable(protoc_bin_vendored::protoc_bin_path()?);
    tonic_prost_build::configure().build_server(false).compile_with_config(
        config,
        &files,
        &[protos, Path::new(ROOT).join("third_party/proto")],
    )?;
    Ok(())
}
