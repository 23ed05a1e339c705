//! The way out that runs no destructors. Alone in its process, for it takes all. Needs root.

use std::path::Path;

use wirepath::netns::{Namespace, remove_all};

#[test]
fn all_namespaces_of_the_process_go_at_once() {
    let namespaces = ["one", "two"].map(|label| Namespace::new(label).unwrap());
    let file = |namespace: &Namespace| Path::new("/run/netns").join(namespace.name());
    assert!(namespaces.iter().all(|namespace| file(namespace).exists()));
    remove_all();
    assert!(!namespaces.iter().any(|namespace| file(namespace).exists()));
    // The values that are left have nothing to do, and no complaint.
    drop(namespaces);
}
