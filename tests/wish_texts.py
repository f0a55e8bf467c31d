"""Texts that are no document at all."""

# No document at all. Line and message.
BAD_TEXT = {
    "empty": (b"", None, "The file is empty."),
    "only a comment": (b"# nothing\n", None, "The file is empty."),
    "not UTF-8": (b"a: 1\nb: \xff\n", 2, "This is not UTF-8 text."),
    "a bracket left open": (
        b"a: [\n",
        2,
        "This is no YAML: did not find expected node content.",
    ),
    "a tab": (
        b"a:\n\t- b\n",
        2,
        "This is no YAML: found character that cannot start any token.",
    ),
    "two documents": (b"--- 1\n--- 2\n", 2, "One file holds one document."),
    "a key twice": (
        b"cluster: lab\nservices: []\ncluster: shop\n",
        3,
        "The key \u201ccluster\u201d stands here twice; the first is in line 1.",
    ),
    "an alias": (
        b"a: &x [1]\nb: *x\n",
        1,
        "Anchors (&) and aliases (*) are not taken: write it out.",
    ),
    "an anchor on a key": (
        b"&x a: 1\n",
        1,
        "Anchors (&) and aliases (*) are not taken: write it out.",
    ),
    "a merge key": (
        b"a: 1\nb:\n  <<: *x\n",
        3,
        "Anchors (&) and aliases (*) are not taken: write it out.",
    ),
    "an object": (
        b"a: !!python/object/apply:os.system [ls]\n",
        1,
        "Tags such as tag:yaml.org,2002:python/object/apply:o\u2026 are not taken.",
    ),
    "too deep": (b"[" * 40, 1, "This is nested too deeply."),
    "a list for a key": (b"? [a]\n: b\n", 1, "A key is one word."),
    "a control character": (
        b"a: \x07\n",
        None,
        "This is no YAML: unacceptable character #x0007: control \u2026.",
    ),
    "too large": (b"#" * (1024 * 1024 + 1), None, "The file is larger than 1 MiB."),
}
