// The client registers a model, deploys it, watches the deployment until it serves, lists the model's deployments and
// undeploys it again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	registry "example.com/registry-client/gen/modelregistry/v1"
)

// Every call has a deadline and is repeated when the registry cannot be reached. The watch stays open; run limits it.
const serviceConfig = `{"methodConfig": [
	{"name": [{}], "timeout": "10s", "retryPolicy": {
		"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "2s", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]}},
	{"name": [{"service": "modelregistry.v1.DeploymentService", "method": "WatchDeployment"}]}
]}`

func main() {
	address := flag.String("address", "localhost:8080", "host and port of the gateway")
	project := flag.String("project", "11111111-1111-1111-1111-111111111111", "the UUID of the project")
	uri := flag.String("uri", "s3://models/iris", "where the files of the model are")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := run(metadata.AppendToOutgoingContext(ctx, "project-id", *project), *address, *uri); err != nil {
		fmt.Fprintln(os.Stderr, explain(err))
		os.Exit(1)
	}
}

func run(ctx context.Context, address, uri string) error {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		return err
	}
	defer connection.Close()

	version, err := registerVersion(ctx, connection, uri)
	if err != nil {
		return err
	}
	environment, err := findOrCreateEnvironment(ctx, registry.NewServingEnvironmentServiceClient(connection), "examples")
	if err != nil {
		return err
	}
	deployments := registry.NewDeploymentServiceClient(connection)
	deployed, err := deployments.DeployModel(ctx, &registry.DeployModelRequest{
		RequestId: "deploy " + version.Id, // a repeated call answers the same deployment
		Deployment: &registry.NewDeployment{
			RegisteredModelId: version.RegisteredModelId, ServingEnvironmentId: environment.Id, ModelVersionId: &version.Id,
		},
	})
	if err != nil {
		return err
	}
	id := deployed.InferenceService.Id
	fmt.Println("deploying", deployed.InferenceService.Name, "to", environment.Name)
	if err := watchUntilDeployed(ctx, deployments, id); err != nil {
		return err
	}
	if err := printDeployments(ctx, deployments, version.RegisteredModelId); err != nil {
		return err
	}
	if _, err := deployments.UndeployModel(ctx, &registry.UndeployModelRequest{Id: id}); err != nil {
		return err
	}
	fmt.Println("undeployed")
	return nil
}

// explain writes an error of the registry as its code, its stable reason and its text.
func explain(err error) string {
	answer := status.Convert(err)
	for _, detail := range answer.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return fmt.Sprintf("%s %s: %s", answer.Code(), info.Reason, answer.Message())
		}
	}
	return err.Error()
}
