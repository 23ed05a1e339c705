//! Programs in C on the ingress of an interface.

use std::env;
use std::os::fd::AsFd as _;
use std::process::Command;

use libbpf_rs::{Object, ObjectBuilder, TC_INGRESS, TcHookBuilder};
use wirepath::netns::Namespace;

/// Compiles and loads a source file of this folder.
pub(super) fn load(source: &str) -> Object {
    ObjectBuilder::default()
        .open_memory(&compile(source))
        .and_then(|object| object.load())
        .unwrap_or_else(|error| panic!("{source} does not load: {error}"))
}

/// Puts a program of an object on the ingress of an interface, with whose namespace it goes.
pub(super) fn attach(object: &Object, program: &str, (namespace, interface): (&Namespace, &str)) {
    let mut programs = object.progs();
    let program = programs.find(|found| found.name() == program);
    let program = program.expect("the object has such a program");
    let program = program.as_fd();
    let index = namespace.interface_index(interface);
    let index = i32::try_from(index.expect("the interface exists")).unwrap();
    let attach = || {
        let mut hook = TcHookBuilder::new(program)
            .ifindex(index)
            .replace(true)
            .handle(1)
            .priority(1)
            .hook(TC_INGRESS);
        hook.create()?.attach().map(drop)
    };
    let attached = namespace.run(attach).expect("the namespace is there");
    attached.expect("the program attaches to ingress");
}

fn compile(source: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support");
    let output = Command::new("clang")
        .args(["-O2", "-g", "-Wall", "-Werror", "-target", "bpf"])
        .args(["-c", source, "-o", "-"])
        // Where Debian keeps asm/types.h, which the bpf target does not know.
        .arg(format!("-I/usr/include/{}-linux-gnu", env::consts::ARCH))
        .current_dir(folder)
        .output()
        .expect("clang runs: install the package clang");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{source}:\n{report}");
    output.stdout
}
