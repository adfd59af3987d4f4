// The client registers a model with two versions, calls one of them the champion, deploys it, watches the deployment
// until it serves, and undeploys it. docs/api.md explains every step.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	registry "github.com/registrygrpc/registry-grpc/stubs/go/modelregistry/v1"
)

// Every call has a deadline, and is repeated while the registry cannot be reached or is overloaded. The watch stays open;
// the context of main limits it.
const serviceConfig = `{"methodConfig": [
	{"name": [{}], "timeout": "10s", "retryPolicy": {
		"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "2s", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}},
	{"name": [{"service": "modelregistry.v1.DeploymentService", "method": "WatchDeployment"}]}
]}`

func main() {
	address := flag.String("address", "localhost:8080", "host and port of the gateway")
	project := flag.String("project", "11111111-1111-1111-1111-111111111111", "the UUID of the project")
	uri := flag.String("uri", "s3://models/iris", "where the files of the model are")
	token := flag.String("token", "", "an API token, or one of the identity provider, where the registry asks for it")
	withTLS := flag.Bool("tls", false, "call a gateway that is behind TLS")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "project-id", *project)
	if *token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+*token)
	}
	transport := insecure.NewCredentials()
	if *withTLS {
		transport = credentials.NewTLS(nil) // trusts the certificate authorities of the system
	}
	if err := run(ctx, *address, transport, *uri); err != nil {
		fmt.Fprintln(os.Stderr, explain(err))
		os.Exit(1)
	}
}

func run(ctx context.Context, address string, transport credentials.TransportCredentials, uri string) error {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(transport), grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		return err
	}
	defer connection.Close()

	versions := registry.NewModelVersionServiceClient(connection)
	model, err := registerModel(ctx, registry.NewRegisteredModelServiceClient(connection), versions, uri)
	if err != nil {
		return err
	}
	champion, err := chooseChampion(ctx, registry.NewModelAliasServiceClient(connection), model.Id, "v2")
	if err != nil {
		return err
	}
	if err := listVersions(ctx, versions, model.Id); err != nil {
		return err
	}
	if err := review(ctx, versions, champion); err != nil {
		return err
	}
	environment, err := findOrCreateEnvironment(ctx, registry.NewServingEnvironmentServiceClient(connection), "examples")
	if err != nil {
		return err
	}
	deployments := registry.NewDeploymentServiceClient(connection)
	deployed, err := deployments.DeployModel(ctx, &registry.DeployModelRequest{
		RequestId: "deploy " + model.Name,
		Deployment: &registry.NewDeployment{
			RegisteredModelId: model.Id, Version: "champion", ServingEnvironmentId: environment.Id,
		},
	})
	if err != nil {
		return err
	}
	deployment := deployed.Deployment
	fmt.Println("deploying", deployment.Snapshot.RequestedVersion, "to", environment.Name)
	if err := watchUntilDeployed(ctx, deployments, deployment.Id); err != nil {
		return err
	}
	if _, err := deployments.UndeployModel(ctx, &registry.UndeployModelRequest{Id: deployment.Id}); err != nil {
		return err
	}
	fmt.Println("undeployed")
	return nil
}

// reasonOf is the stable reason of an error of the registry, as in ErrorReason of the protos.
func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return ""
}

func explain(err error) string {
	if reason := reasonOf(err); reason != "" {
		return fmt.Sprintf("%s %s: %s", status.Code(err), reason, status.Convert(err).Message())
	}
	return err.Error()
}
