import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { ConnectError } from "@connectrpc/connect";

const REASON_FIELD = 1;

/**
 * The `reason` of the google.rpc.ErrorInfo that every error of the registry carries; see ErrorReason in the protos.
 *
 * Read by hand because no npm package holds google/rpc/error_details.proto for protobuf-es. Where its stubs are
 * generated as well this is `error.findDetails(ErrorInfoSchema)[0]?.reason`.
 */
export function errorReason(error: ConnectError): string | undefined {
  for (const detail of error.details) {
    if (!("type" in detail) || detail.type !== "google.rpc.ErrorInfo") continue;
    const reader = new BinaryReader(detail.value);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === REASON_FIELD) return reader.string();
      reader.skip(wireType, field);
    }
  }
  return undefined;
}
