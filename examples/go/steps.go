package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	registry "example.com/registry-client/gen/modelregistry/v1"
)

// registerVersion makes a model of a new name with one version, and sets that READY: only READY versions are deployed.
func registerVersion(ctx context.Context, connection *grpc.ClientConn, uri string) (*registry.ModelVersion, error) {
	model, err := registry.NewRegisteredModelServiceClient(connection).CreateRegisteredModel(ctx,
		&registry.CreateRegisteredModelRequest{
			RegisteredModel: &registry.NewRegisteredModel{Name: fmt.Sprintf("iris-go-%x", time.Now().UnixNano())},
		})
	if err != nil {
		return nil, err
	}
	versions := registry.NewModelVersionServiceClient(connection)
	created, err := versions.CreateModelVersion(ctx, &registry.CreateModelVersionRequest{
		RegisteredModelId: model.RegisteredModel.Id,
		ModelVersion: &registry.NewModelVersion{
			Name: "v1", ModelFramework: "sklearn", ModelFrameworkVersion: "1", Uri: uri,
		},
	})
	if err != nil {
		return nil, err
	}
	ready := "READY"
	updated, err := versions.UpdateModelVersion(ctx, &registry.UpdateModelVersionRequest{
		Id: created.ModelVersion.Id, ModelVersion: &registry.ModelVersionPatch{Status: &ready},
	})
	if err != nil {
		return nil, err
	}
	fmt.Println("registered", model.RegisteredModel.Name, "with version", updated.ModelVersion.Name, updated.ModelVersion.Status)
	return updated.ModelVersion, nil
}

func findOrCreateEnvironment(
	ctx context.Context, environments registry.ServingEnvironmentServiceClient, name string,
) (*registry.ServingEnvironment, error) {
	created, err := environments.CreateServingEnvironment(ctx, &registry.CreateServingEnvironmentRequest{
		ServingEnvironment: &registry.NewServingEnvironment{Name: name},
	})
	if status.Code(err) == codes.AlreadyExists {
		found, err := environments.FindServingEnvironment(ctx, &registry.FindServingEnvironmentRequest{Name: name})
		return found.GetServingEnvironment(), err
	}
	return created.GetServingEnvironment(), err
}

func watchUntilDeployed(ctx context.Context, deployments registry.DeploymentServiceClient, id string) error {
	ctx, cancel := context.WithCancel(ctx) // ends the stream
	defer cancel()
	fromTheFirst := int64(0)
	stream, err := deployments.WatchDeployment(ctx, &registry.WatchDeploymentRequest{Id: id, AfterSequence: &fromTheFirst})
	if err != nil {
		return err
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		event := answer.Event
		fmt.Println(" ", event.Phase, event.Message)
		switch event.Phase {
		case registry.DeploymentPhase_DEPLOYMENT_PHASE_DEPLOYED:
			return nil
		case registry.DeploymentPhase_DEPLOYMENT_PHASE_FAILED:
			reason := strings.TrimPrefix(event.Reason.String(), "DEPLOYMENT_REASON_")
			return errors.New(reason + ": " + event.Message + "\nnext step: " + event.NextStep)
		}
	}
}

func printDeployments(ctx context.Context, deployments registry.DeploymentServiceClient, modelID string) error {
	request := &registry.ListDeploymentsRequest{RegisteredModelId: modelID, PageSize: 50}
	for {
		page, err := deployments.ListDeployments(ctx, request)
		if err != nil {
			return err
		}
		for _, deployment := range page.Deployments {
			fmt.Println(deployment.Name, "in", deployment.Namespace, "answers at", deployment.Url)
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			return nil
		}
	}
}
