package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// call sends one action of the ECR API. Where AWS would check a signature, moto only reads the region in it.
func call(ctx context.Context, action string, wish map[string]any, answer any) error {
	body, err := json.Marshal(wish)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("AWS_ENDPOINT_URL"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	scope := fmt.Sprintf("%s/20260101/%s/ecr/aws4_request", os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_REGION"))
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+scope+", SignedHeaders=host, Signature=none")
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+action)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s", action, response.StatusCode, said)
	}
	return json.Unmarshal(said, answer)
}
