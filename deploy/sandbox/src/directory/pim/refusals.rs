//! How PIM refuses: the codes are the same for roles and for groups.

use crate::directory::Problem;

pub(super) fn exists() -> Problem {
    Problem::new(400, "RoleAssignmentExists", "The Role assignment already exists.")
}

pub(super) fn nothing_there() -> Problem {
    Problem::new(400, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
}

pub(super) fn pending() -> Problem {
    Problem::new(
        400,
        "PendingRoleAssignmentRequest",
        "There is already an existing pending Role assignment request.",
    )
}

pub(super) fn too_short() -> Problem {
    // The spelling is Microsoft's.
    Problem::new(
        400,
        "ActiveDurationTooShort",
        "The Active duration is too short. Miniumum Required is 5 minutes.",
    )
}

pub(super) fn invalid_schedule(message: &str) -> Problem {
    Problem::new(400, "InvalidRoleAssignmentRequestSchedule", message)
}
