//! `callgate-stubs PROTOS INTO`: writes the Rust stubs of the contract in the folder PROTOS into the folder INTO.

use std::error::Error;
use std::path::Path;

const FILES: [&str; 3] = [
    "callgate/v1/failure.proto",
    "callgate/v1/function_service.proto",
    // ErrorInfo and RetryInfo, which failures carry.
    "google/rpc/error_details.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [protos, into] = arguments.as_slice() else {
        return Err("callgate-stubs PROTOS INTO".into());
    };
    // protox is a protoc in Rust: nobody needs one installed.
    let mut files = protox::compile(FILES, [protos])?;
    // prost takes -0.0 for a field that is not set and leaves it out; what is optional it leaves to us. The bytes are the
    // same. DoubleList and Value.double_value, the only other doubles, have no such default.
    for message in files.file.iter_mut().flat_map(|file| &mut file.message_type) {
        if message.name() == "Complex" {
            message.field.iter_mut().for_each(|field| field.proto3_optional = Some(true));
        }
    }
    std::fs::create_dir_all(into)?;
    tonic_prost_build::configure()
        .build_server(false)
        .out_dir(Path::new(into))
        .include_file("mod.rs")
        // Maps are mostly empty or small, and their bytes are the same on every run.
        .btree_map(".")
        .compile_fds(files)?;
    Ok(())
}
