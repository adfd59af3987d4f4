package com.example.registry;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import io.github.registrygrpc.modelregistry.v1.*;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The steps of the story. */
final class Steps {
  private final RegisteredModelServiceGrpc.RegisteredModelServiceBlockingStub models;
  private final ModelVersionServiceGrpc.ModelVersionServiceBlockingStub versions;
  private final ModelAliasServiceGrpc.ModelAliasServiceBlockingStub aliases;
  private final ServingEnvironmentServiceGrpc.ServingEnvironmentServiceBlockingStub environments;
  private final DeploymentServiceGrpc.DeploymentServiceBlockingStub deployments;

  Steps(Channel channel) {
    models = RegisteredModelServiceGrpc.newBlockingStub(channel);
    versions = ModelVersionServiceGrpc.newBlockingStub(channel);
    aliases = ModelAliasServiceGrpc.newBlockingStub(channel);
    environments = ServingEnvironmentServiceGrpc.newBlockingStub(channel);
    deployments = DeploymentServiceGrpc.newBlockingStub(channel);
  }

  /**
   * A model with the versions v1 and v2, which are READY: only such versions can be deployed. A call with a request id takes
   * effect once, however often it is repeated.
   */
  RegisteredModel registerModel(String name, String uri) {
    var model = models.createRegisteredModel(CreateRegisteredModelRequest.newBuilder()
        .setRequestId("create " + name)
        .setRegisteredModel(NewRegisteredModel.newBuilder().setName(name))
        .build()).getRegisteredModel();
    for (var version : List.of("v1", "v2")) {
      var created = versions.createModelVersion(CreateModelVersionRequest.newBuilder()
          .setRequestId("create " + name + " " + version)
          .setRegisteredModelId(model.getId())
          .setModelVersion(NewModelVersion.newBuilder()
              .setName(version).setModelFramework("sklearn").setModelFrameworkVersion("1").setUri(uri))
          .build()).getModelVersion();
      versions.updateModelVersion(UpdateModelVersionRequest.newBuilder()
          .setId(created.getId())
          .setModelVersion(ModelVersionPatch.newBuilder().setStatus("READY"))
          .build());
    }
    System.out.println("registered " + name);
    return model;
  }

  /** Gives the alias to a version, and answers the id of the version. */
  String chooseChampion(String modelId, String version) {
    var alias = aliases.setModelAlias(SetModelAliasRequest.newBuilder()
        .setRegisteredModelId(modelId).setName("champion").setVersion(version).build()).getModelAlias();
    System.out.printf("%s is version %d%n", alias.getName(), alias.getVersionNumber());
    return alias.getModelVersionId();
  }

  /** Reads the versions that match a filter, page by page. Pages this small are only for the example. */
  void listVersions(String modelId) {
    var request = ListModelVersionsRequest.newBuilder()
        .setRegisteredModelId(modelId)
        .setFilter("status = \"READY\" AND model_framework = \"sklearn\"")
        .setOrderBy("name")
        .setPageSize(1);
    do {
      var page = versions.listModelVersions(request.build());
      for (var version : page.getModelVersionsList()) {
        System.out.printf("found %s [%s]%n", version.getName(), String.join(" ", version.getAliasesList()));
      }
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());
  }

  /** Three reviewers label the version at the same time. */
  void review(String versionId) {
    CompletableFuture.allOf(Stream.of("bias", "latency", "license")
        .map(label -> CompletableFuture.runAsync(() -> addLabel(versionId, label, "passed")))
        .toArray(CompletableFuture[]::new)).join();
    System.out.println("reviews: " + getVersion(versionId).getLabelsCount());
  }

  /** Adds a label to those that the version has. The etag makes sure that nobody else's is lost. */
  private void addLabel(String versionId, String key, String value) {
    while (true) {
      var version = getVersion(versionId);
      var labels = Struct.newBuilder();
      version.getLabelsMap().forEach((name, text) -> labels.putFields(name, text(text)));
      labels.putFields(key, text(value));
      try {
        versions.updateModelVersion(UpdateModelVersionRequest.newBuilder()
            .setId(versionId)
            .setEtag(version.getEtag())
            .setModelVersion(ModelVersionPatch.newBuilder().setLabels(labels))
            .build());
        return;
      } catch (StatusRuntimeException error) {
        if (error.getStatus().getCode() != Status.Code.ABORTED) { // somebody else has written it: read it again
          throw error;
        }
      }
    }
  }

  private static Value text(String text) {
    return Value.newBuilder().setStringValue(text).build();
  }

  private ModelVersion getVersion(String id) {
    return versions.getModelVersion(GetModelVersionRequest.newBuilder().setId(id).build()).getModelVersion();
  }

  ServingEnvironment findOrCreateEnvironment(String name) throws Exception {
    try {
      return environments.createServingEnvironment(CreateServingEnvironmentRequest.newBuilder()
          .setServingEnvironment(NewServingEnvironment.newBuilder().setName(name))
          .build()).getServingEnvironment();
    } catch (StatusRuntimeException error) {
      if (!RegistryClient.reasonOf(error).equals("SERVING_ENVIRONMENT_NAME_TAKEN")) {
        throw error;
      }
    }
    return environments.findServingEnvironment(
        FindServingEnvironmentRequest.newBuilder().setName(name).build()).getServingEnvironment();
  }

  /** Prints every change of the deployment from the first one on. */
  void watchUntilDeployed(String id) throws Exception {
    try (var watch = Context.current().withCancellation()) { // ends the stream
      watch.call(() -> {
        var request = WatchDeploymentRequest.newBuilder().setId(id).setAfterSequence(0).build();
        var answers = deployments.withDeadlineAfter(2, TimeUnit.MINUTES).watchDeployment(request);
        while (answers.hasNext()) {
          var event = answers.next().getEvent();
          System.out.printf("  %s %s%n", event.getPhase(), event.getMessage());
          switch (event.getPhase()) {
            case DEPLOYMENT_PHASE_DEPLOYED -> {
              return null;
            }
            case DEPLOYMENT_PHASE_FAILED -> throw new IllegalStateException("%s: %s\nnext step: %s".formatted(
                event.getReason().name().replace("DEPLOYMENT_REASON_", ""), event.getMessage(), event.getNextStep()));
            default -> { }
          }
        }
        throw new IllegalStateException("the registry ended the watch before the deployment was decided");
      });
    }
  }
}
