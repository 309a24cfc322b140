//! What the token endpoint's numbers mean for whoever set the broker up.

/// What to do about the first of these numbers that is known
/// (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).
pub(super) fn explained(numbers: &[u32]) -> Option<&'static str> {
    numbers.iter().find_map(|number| {
        Some(match number {
            70_021 | 700_211 | 700_212 | 700_213 => {
                "no federated credential of the application fits the token in the file; its issuer, subject and \
                 audience must be equal letter for letter (`elevated doctor` shows the token's), and one that was \
                 just made takes some minutes to count"
            }
            700_024 => {
                "the assertion is outside of its time; is the clock right, and is the token in the file still renewed?"
            }
            700_016 => "the tenant has no such application; check `graph.client_id` and `tenant.id`",
            700_027 => "the certificate is not on the application registration, or the key is not its own",
            7_000_215 => "the secret is not one of the application's; it is the secret's value that counts, not its id",
            7_000_222 => "the secret has ended; make a new one, or better a certificate",
            _ => return None,
        })
    })
}
