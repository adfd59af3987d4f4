"""ProjectService."""

from __future__ import annotations

from uuid import uuid4

from modelregistry.v1 import project_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import cursor_slice_of, message_of
from registry_grpc.adapters.grpc.request_fields import Reader, body_id, patch_of, path_id
from registry_grpc.adapters.grpc.rpc import cursor_page, only_grpc, rpc
from registry_grpc.adapters.rest.etags import etags_in
from registry_grpc.domain.access import Role
from registry_grpc.domain.paging import Page
from registry_grpc.domain.project import LISTS, NewProject, Project, ProjectPatch, Usage
from registry_grpc.ports.projects import ProjectRepository


def _message(project: Project) -> pb.Project:
    return message_of(pb.Project, project)


def _with_usage(found: tuple[Project, Usage]) -> pb.GetProjectResponse:
    project, usage = found
    return pb.GetProjectResponse(project=_message(project), usage=message_of(pb.ProjectUsage, usage))


class ProjectServicer:
    """The RPCs on projects."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ProjectService"]

    def __init__(self, projects: ProjectRepository) -> None:
        self._projects = projects

    @rpc(only_grpc(_message, lambda it: pb.CreateProjectResponse(project=it)), Role.OPERATOR)
    async def CreateProject(self, request: pb.CreateProjectRequest, call: Call) -> Project:  # noqa: ARG002
        id_ = body_id(request.id, "id") if request.id else uuid4()
        return await self._projects.create(Project.create(Reader(request.project).make(NewProject), id_))

    @rpc(only_grpc(_with_usage), Role.OPERATOR)
    async def GetProject(self, request: pb.GetProjectRequest, call: Call) -> tuple[Project, Usage]:  # noqa: ARG002
        id_ = path_id(request.id)
        return await self._projects.get(id_), await self._projects.usage(id_)

    @rpc(
        cursor_page(_message, lambda items, token: pb.ListProjectsResponse(projects=items, next_page_token=token)),
        Role.OPERATOR,
    )
    async def ListProjects(self, request: pb.ListProjectsRequest, call: Call) -> Page[Project]:
        return await self._projects.list(cursor_slice_of(request, call))

    @rpc(only_grpc(_message, lambda it: pb.UpdateProjectResponse(project=it)), Role.OPERATOR)
    async def UpdateProject(self, request: pb.UpdateProjectRequest, call: Call) -> Project:  # noqa: ARG002
        given = request.project
        lists = {name: tuple(getattr(given, name).values) for name in LISTS if given.HasField(name)}
        patch = patch_of(ProjectPatch, given, request, **lists)
        return await self._projects.update(path_id(request.id), patch, etags_in(request.etag))
