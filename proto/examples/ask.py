"""Elevate from another language: the .proto files and nothing else.

Against the sandbox (`cargo run -p elevate-sandbox -- up`), as Ann:

    pip install grpcio-tools grpcio-status requests
    python -m grpc_tools.protoc -Iproto --python_out=OUT --grpc_python_out=OUT proto/elevate/v1/*.proto
    PYTHONPATH=OUT python proto/examples/ask.py localhost:7443 target/sandbox/ca.pem

It lists the roles offered to her, asks for one with a fresh sign-in that is bound to the request, waits
until she holds it, gives it back, and reads the details of a refusal.
"""

import base64
import hashlib
import secrets
import sys
import uuid
from urllib.parse import parse_qs, urlparse

import grpc
import requests
from elevate.v1 import activations_pb2, activations_pb2_grpc, roles_pb2, roles_pb2_grpc
from elevate.v1 import session_pb2, session_pb2_grpc, types_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

BROKER, CA = sys.argv[1:3]
REDIRECT = "http://localhost:1"

channel = grpc.secure_channel(BROKER, grpc.ssl_channel_credentials(open(CA, "rb").read()))
how = session_pb2_grpc.SessionServiceStub(channel).GetSignIn(session_pb2.GetSignInRequest())
places = requests.get(f"{how.issuer}/.well-known/openid-configuration", verify=CA, timeout=10).json()


def sign_in(scope, nonce):
    """Authorization code with PKCE. The sandbox signs in whom the hint names; Entra would show a page."""
    verifier = secrets.token_urlsafe(32)
    hashed = hashlib.sha256(verifier.encode()).digest()
    asked = requests.get(
        places["authorization_endpoint"],
        params={
            "client_id": how.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": scope,
            "state": secrets.token_urlsafe(8),
            "nonce": nonce,
            "prompt": "login",
            "code_challenge": base64.urlsafe_b64encode(hashed).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "login_hint": "ann",
            "sandbox_strength": "fido",
        },
        verify=CA,
        timeout=10,
        allow_redirects=False,
    )
    code = parse_qs(urlparse(asked.headers["location"]).query)["code"][0]
    form = {
        "client_id": how.client_id,
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": verifier,
        "scope": scope,
    }
    return requests.post(places["token_endpoint"], data=form, verify=CA, timeout=10).json()


def digest(domain, *fields):
    """As the comments in activations.proto describe it."""
    whole = hashlib.sha256(domain.encode())
    for field in fields:
        whole.update(len(field.encode()).to_bytes(4, "big") + field.encode())
    return whole


bearer = [("authorization", "Bearer " + sign_in(how.scope, secrets.token_urlsafe(8))["access_token"])]
offered = roles_pb2_grpc.RoleServiceStub(channel).ListEligibleRoles(
    roles_pb2.ListEligibleRolesRequest(), metadata=bearer
)
for role in offered.roles:
    print(f"offered: {role.name}, up to {role.longest_seconds} s, {len(role.requirements)} approval rule(s)")

activations = activations_pb2_grpc.ActivationServiceStub(channel)
wish = {"role": "user-admin", "justification": "Unlock an account"}
prepared = activations.PrepareActivation(activations_pb2.PrepareActivationRequest(**wish), metadata=bearer)

# What is signed for must be what is asked for: compute it, and compare before signing in.
who, what, challenge = prepared.principal, prepared.directory_role, prepared.challenge
asked = digest(
    "elevate-activation-v1",
    who.tenant_id,
    who.object_id,
    wish["role"],
    what.way,
    what.role_definition_id,
    what.scope,
    str(prepared.term_seconds),
    "",
    wish["justification"],
    "",
    "",
    str(prepared.policy_version),
    "",
).hexdigest()
nonce = digest("elevate-nonce-v1", challenge.challenge, asked, "activate").digest()
assert challenge.digest == asked, "the challenge is for something else"
assert challenge.nonce == base64.urlsafe_b64encode(nonce).rstrip(b"=").decode()

request = activations_pb2.RequestActivationRequest(
    request_id=str(uuid.uuid4()),
    term_seconds=prepared.term_seconds,
    policy_version=prepared.policy_version,
    proof=types_pb2.Proof(
        id_token=sign_in("openid profile", challenge.nonce)["id_token"], challenge=challenge.challenge
    ),
    **wish,
)
activation = activations.RequestActivation(request, metadata=bearer)
print("asked:", activation.id)
for seen in activations.WatchActivation(
    activations_pb2.WatchActivationRequest(id=activation.id), metadata=bearer
):
    print("state:", types_pb2.ActivationState.Name(seen.state))
    if seen.state == types_pb2.ACTIVATION_STATE_ACTIVE:
        break
back = activations_pb2.DeactivateActivationRequest(id=activation.id)
print("given back:", types_pb2.ActivationState.Name(activations.DeactivateActivation(back, metadata=bearer).state))

try:
    wrong = activations_pb2.PrepareActivationRequest(role="no-such-role", justification="?")
    activations.PrepareActivation(wrong, metadata=bearer)
except grpc.RpcError as error:
    status = rpc_status.from_call(error)
    print("refused:", error.code().name, "-", status.message)
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            print("reason:", info.reason, "in", info.domain)
