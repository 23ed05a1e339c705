use super::*;

#[test]
fn the_kernel_takes_the_program() {
    Steering::load().unwrap();
}
