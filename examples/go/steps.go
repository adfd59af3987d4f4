package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	registry "github.com/registrygrpc/registry-grpc/stubs/go/modelregistry/v1"
)

// registerModel makes a model with the versions v1 and v2, and sets them READY: only such versions can be deployed. A call
// with a request id takes effect once, however often it is repeated.
func registerModel(ctx context.Context, models registry.RegisteredModelServiceClient,
	versions registry.ModelVersionServiceClient, uri string,
) (*registry.RegisteredModel, error) {
	name := fmt.Sprintf("iris-go-%x", time.Now().UnixNano())
	registered, err := models.CreateRegisteredModel(ctx, &registry.CreateRegisteredModelRequest{
		RequestId: "create " + name, RegisteredModel: &registry.NewRegisteredModel{Name: name},
	})
	if err != nil {
		return nil, err
	}
	for _, version := range []string{"v1", "v2"} {
		created, err := versions.CreateModelVersion(ctx, &registry.CreateModelVersionRequest{
			RequestId:         "create " + name + " " + version,
			RegisteredModelId: registered.RegisteredModel.Id,
			ModelVersion: &registry.NewModelVersion{
				Name: version, ModelFramework: "sklearn", ModelFrameworkVersion: "1", Uri: uri,
			},
		})
		if err != nil {
			return nil, err
		}
		ready := "READY"
		if _, err := versions.UpdateModelVersion(ctx, &registry.UpdateModelVersionRequest{
			Id: created.ModelVersion.Id, ModelVersion: &registry.ModelVersionPatch{Status: &ready},
		}); err != nil {
			return nil, err
		}
	}
	fmt.Println("registered", name)
	return registered.RegisteredModel, nil
}

// chooseChampion gives the alias to a version, and answers the id of the version.
func chooseChampion(ctx context.Context, aliases registry.ModelAliasServiceClient, modelID, version string) (string, error) {
	set, err := aliases.SetModelAlias(ctx, &registry.SetModelAliasRequest{
		RegisteredModelId: modelID, Name: "champion", Version: version,
	})
	if err != nil {
		return "", err
	}
	fmt.Println(set.ModelAlias.Name, "is version", set.ModelAlias.VersionNumber)
	return set.ModelAlias.ModelVersionId, nil
}

// listVersions reads the versions that match a filter, page by page. Pages this small are only for the example.
func listVersions(ctx context.Context, versions registry.ModelVersionServiceClient, modelID string) error {
	request := &registry.ListModelVersionsRequest{
		RegisteredModelId: modelID, Filter: `status = "READY" AND model_framework = "sklearn"`, OrderBy: "name", PageSize: 1,
	}
	for {
		page, err := versions.ListModelVersions(ctx, request)
		if err != nil {
			return err
		}
		for _, version := range page.ModelVersions {
			fmt.Println("found", version.Name, version.Aliases)
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			return nil
		}
	}
}

// review lets three reviewers label the version at the same time.
func review(ctx context.Context, versions registry.ModelVersionServiceClient, versionID string) error {
	reviewers := []string{"bias", "latency", "license"}
	done := make(chan error)
	for _, label := range reviewers {
		go func() { done <- addLabel(ctx, versions, versionID, label, "passed") }()
	}
	var failed error
	for range reviewers {
		failed = errors.Join(failed, <-done)
	}
	if failed != nil {
		return failed
	}
	read, err := versions.GetModelVersion(ctx, &registry.GetModelVersionRequest{Id: versionID})
	if err == nil {
		fmt.Println("reviews:", len(read.ModelVersion.Labels))
	}
	return err
}

// addLabel adds a label to those that the version has. The etag makes sure that nobody else's is lost.
func addLabel(ctx context.Context, versions registry.ModelVersionServiceClient, versionID, key, value string) error {
	for {
		read, err := versions.GetModelVersion(ctx, &registry.GetModelVersionRequest{Id: versionID})
		if err != nil {
			return err
		}
		labels := &structpb.Struct{Fields: map[string]*structpb.Value{}}
		for name, text := range read.ModelVersion.Labels {
			labels.Fields[name] = structpb.NewStringValue(text)
		}
		labels.Fields[key] = structpb.NewStringValue(value)
		_, err = versions.UpdateModelVersion(ctx, &registry.UpdateModelVersionRequest{
			Id: versionID, Etag: read.ModelVersion.Etag, ModelVersion: &registry.ModelVersionPatch{Labels: labels},
		})
		if status.Code(err) != codes.Aborted { // ABORTED: somebody else has written it meanwhile, so read it again
			return err
		}
	}
}

func findOrCreateEnvironment(
	ctx context.Context, environments registry.ServingEnvironmentServiceClient, name string,
) (*registry.ServingEnvironment, error) {
	created, err := environments.CreateServingEnvironment(ctx, &registry.CreateServingEnvironmentRequest{
		ServingEnvironment: &registry.NewServingEnvironment{Name: name},
	})
	if reasonOf(err) == "SERVING_ENVIRONMENT_NAME_TAKEN" {
		found, err := environments.FindServingEnvironment(ctx, &registry.FindServingEnvironmentRequest{Name: name})
		return found.GetServingEnvironment(), err
	}
	return created.GetServingEnvironment(), err
}

// watchUntilDeployed prints every change of the deployment from the first one on.
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
