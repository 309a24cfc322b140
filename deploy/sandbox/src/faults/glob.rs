//! Patterns for paths: `*` within a segment, `**` across them, `{a,b}` for either.

/// Whether `pattern` matches `path` or one of the folders above it.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    alternatives(pattern).iter().any(|pattern| {
        let pattern = pattern.trim_end_matches('/').as_bytes();
        path.match_indices('/')
            .map(|(end, _)| end)
            .chain([path.len()])
            .any(|end| covers(pattern, path.as_bytes().get(..end).unwrap_or_default()))
    })
}

fn alternatives(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let Some((choices, after)) = rest.split_once('}') else { return vec![pattern.to_owned()] };
    choices.split(',').flat_map(|choice| alternatives(&format!("{before}{choice}{after}"))).collect()
}

fn covers(pattern: &[u8], path: &[u8]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        ([b'*', b'*', rest @ ..], _) => {
            covers(rest, path) || path.split_first().is_some_and(|(_, path)| covers(pattern, path))
        }
        ([b'*', rest @ ..], _) => {
            covers(rest, path)
                || path.split_first().is_some_and(|(first, path)| *first != b'/' && covers(pattern, path))
        }
        ([p, pattern @ ..], [c, path @ ..]) => p == c && covers(pattern, path),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_by_segment() {
        for (pattern, path, expected) in [
            ("/v1.0/users", "/v1.0/users", true),
            ("/v1.0/users", "/v1.0/users/x/y", true),
            ("/v1.0/users", "/v1.0/usersandmore", false),
            ("/v1.0/*/x", "/v1.0/users/x", true),
            ("/v1.0/*/x", "/v1.0/users/y/x", false),
            ("/v1.0/**/x", "/v1.0/users/y/x", true),
            ("/v1.0/**", "/v1.0/$batch", true),
            ("/", "/anything", true),
            ("/*/{v2.0,oauth2}/**", "/tid/oauth2/v2.0/token", true),
            ("/*/{v2.0,oauth2}/**", "/v1.0/users/v2.0", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} on {path}");
        }
    }
}
