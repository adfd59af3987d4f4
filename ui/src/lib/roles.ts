import { Role } from "../gen/modelregistry/v1/access_pb";

/** The roles that an admin can give, the lowest first. Each may also do what the lower ones may. */
export const ROLES = [Role.VIEWER, Role.EDITOR, Role.DEPLOYER, Role.ADMIN];

export const MAY: Record<number, string> = {
  [Role.UNSPECIFIED]: "Sees an empty project. An admin of the project can give a role.",
  [Role.VIEWER]: "Reads everything except keys.",
  [Role.EDITOR]: "Also writes models, versions, artifacts and aliases.",
  [Role.DEPLOYER]: "Also writes environments and inference services, and deploys.",
  [Role.ADMIN]: "Also manages members, API tokens and webhooks, and reads keys and the audit log.",
  [Role.OPERATOR]: "Manages projects, and is admin in all of them.",
};

export function roleName(role: Role): string {
  const name = Role[role];
  return !name || role === Role.UNSPECIFIED ? "No role in this project" : name.charAt(0) + name.slice(1).toLowerCase();
}

/** For SelectField. */
export const ROLE_OPTIONS = ROLES.map((role): [string, string] => [String(role), roleName(role)]);
