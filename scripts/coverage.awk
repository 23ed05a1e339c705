# Counts the lines of an lcov report that lie in `folder` and are no tests: all before the
# `#[cfg(test)]` that ends a file, in files that are not tests themselves. With `missed` also
# prints which of them ran never. Fails when fewer than `least` of a hundred ran.

function end_of_code(path,    line, number, cut) {
    number = cut = 0
    while ((getline line < path) > 0) {
        number++
        if (cut && line ~ /^mod [a-z_]+ \{/) break
        cut = line ~ /^#\[cfg\(test\)\]/ ? number : 0
    }
    close(path)
    return cut ? cut : number + 1
}

/^SF:/ {
    path = substr($0, 4)
    file = substr(path, length(folder) + 1)
    counts = index(path, folder) == 1 && file !~ /(^|\/)tests(\.rs|\/)/
    end = counts ? end_of_code(path) : 0
}

counts && /^DA:/ {
    split(substr($0, 4), cell, ",")
    if (cell[1] + 0 >= end) next
    lines[file]++
    if (cell[2] > 0) ran[file]++
    else list[file] = list[file] " " cell[1]
}

END {
    for (file in lines) {
        all += lines[file]
        reached += ran[file]
        share = sprintf("%6.1f %%  %s", 100 * ran[file] / lines[file], file)
        print share (missed ? list[file] : "") | "sort -n"
    }
    close("sort -n")
    if (!all) {
        print "no lines of " folder " in the report"
        exit 1
    }
    printf "%d of %d lines: %.1f %%, of which %d must be\n", reached, all, 100 * reached / all, least
    exit 100 * reached < least * all
}
