//! Shell scripts stop at the first failure.

use crate::{Finding, Kind, Tree};

/// A script that is run (a library is sourced, and has no `#!`) sets strict mode.
pub(super) fn strict(tree: &Tree) -> Vec<Finding> {
    tree.of_kind(Kind::Shell)
        .filter(|file| file.text.starts_with("#!"))
        .filter(|file| !file.lines().any(|(_, text)| text == "set -euo pipefail"))
        .map(|file| {
            Finding::new(
                &file.path,
                1,
                "it runs on after a failure: set -euo pipefail",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lax_script_is_found() {
        let found = strict(&Tree::of(&[
            ("lax", "#!/usr/bin/env bash\necho\n"),
            ("good", "#!/usr/bin/env bash\nset -euo pipefail\n"),
            ("library.sh", "echo\n"),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "lax");
    }
}
