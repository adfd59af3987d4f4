package com.example.registry;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.github.registrygrpc.modelregistry.v1.DeployModelRequest;
import io.github.registrygrpc.modelregistry.v1.DeploymentServiceGrpc;
import io.github.registrygrpc.modelregistry.v1.NewDeployment;
import io.github.registrygrpc.modelregistry.v1.UndeployModelRequest;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.util.List;
import java.util.Map;

/**
 * Registers a model with two versions, calls one of them the champion, deploys it, watches the deployment until it serves,
 * and undeploys it. docs/api.md explains every step.
 */
public final class RegistryClient {
  /**
   * Every call has a deadline, and is repeated while the registry cannot be reached or is overloaded. The watch stays open.
   */
  private static final Map<String, ?> SERVICE_CONFIG = Map.of("methodConfig", List.of(
      Map.of("name", List.of(Map.of()), "timeout", "10s", "retryPolicy", Map.of(
          "maxAttempts", 4.0, "initialBackoff", "0.2s", "maxBackoff", "2s", "backoffMultiplier", 2.0,
          "retryableStatusCodes", List.of("UNAVAILABLE", "RESOURCE_EXHAUSTED"))),
      Map.of("name", List.of(
          Map.of("service", "modelregistry.v1.DeploymentService", "method", "WatchDeployment")))));

  public static void main(String[] arguments) {
    var address = option(arguments, "--address", "localhost:8080"); // host and port of the gateway
    var project = option(arguments, "--project", "11111111-1111-1111-1111-111111111111"); // the UUID of the project
    var uri = option(arguments, "--uri", "s3://models/iris"); // where the files of the model are
    var token = option(arguments, "--token", ""); // an API token, or one of the identity provider, where the registry asks for it
    var withTls = List.of(arguments).contains("--tls"); // call a gateway that is behind TLS

    var metadata = new Metadata();
    metadata.put(Metadata.Key.of("project-id", Metadata.ASCII_STRING_MARSHALLER), project);
    if (!token.isEmpty()) {
      metadata.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    }
    var transport = withTls ? TlsChannelCredentials.create() : InsecureChannelCredentials.create();
    var channel = Grpc.newChannelBuilder(address, transport)
        .defaultServiceConfig(SERVICE_CONFIG)
        .intercept(MetadataUtils.newAttachHeadersInterceptor(metadata))
        .build();
    try {
      run(channel, uri);
    } catch (Exception error) {
      System.err.println(explain(error));
      System.exit(1);
    } finally {
      channel.shutdownNow();
    }
  }

  private static void run(ManagedChannel channel, String uri) throws Exception {
    var steps = new Steps(channel);
    var model = steps.registerModel("iris-java-" + Long.toHexString(System.currentTimeMillis()), uri);
    var champion = steps.chooseChampion(model.getId(), "v2");
    steps.listVersions(model.getId());
    steps.review(champion);
    var environment = steps.findOrCreateEnvironment("examples");

    var deployments = DeploymentServiceGrpc.newBlockingStub(channel);
    var deployed = deployments.deployModel(DeployModelRequest.newBuilder()
        .setRequestId("deploy " + model.getName())
        .setDeployment(NewDeployment.newBuilder()
            .setRegisteredModelId(model.getId())
            .setVersion("champion")
            .setServingEnvironmentId(environment.getId()))
        .build()).getDeployment();
    System.out.printf("deploying %s to %s%n", deployed.getSnapshot().getRequestedVersion(), environment.getName());
    steps.watchUntilDeployed(deployed.getId());
    deployments.undeployModel(UndeployModelRequest.newBuilder().setId(deployed.getId()).build());
    System.out.println("undeployed");
  }

  /** The stable reason of an error of the registry, as in ErrorReason of the protos. */
  static String reasonOf(StatusRuntimeException error) throws InvalidProtocolBufferException {
    for (var detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        return detail.unpack(ErrorInfo.class).getReason();
      }
    }
    return "";
  }

  private static String explain(Exception error) {
    try {
      if (error instanceof StatusRuntimeException answer && !reasonOf(answer).isEmpty()) {
        var status = answer.getStatus();
        return "%s %s: %s".formatted(status.getCode(), reasonOf(answer), status.getDescription());
      }
    } catch (InvalidProtocolBufferException unreadable) {
      error.addSuppressed(unreadable);
    }
    Throwable root = error; // says, for example, that nobody vouches for a certificate
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root == error ? error.getMessage() : error.getMessage() + ": " + root.getMessage();
  }

  private static String option(String[] arguments, String name, String standard) {
    var at = List.of(arguments).indexOf(name);
    return at < 0 ? standard : arguments[at + 1];
  }
}
