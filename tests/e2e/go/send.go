// Send sends a body of zeros and prints the answer that came back while or after it was sent, as one line of JSON.
//
//	send METHOD URL BYTES
//
// The authority to trust and the protocol come by SSL_CERT_FILE and GODEBUG=http2client=0.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
)

type zeros struct{}

func (zeros) Read(buffer []byte) (int, error) { return len(buffer), nil }

func main() {
	size, err := strconv.ParseInt(os.Args[3], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	request, err := http.NewRequest(os.Args[1], os.Args[2], io.LimitReader(zeros{}, size))
	if err != nil {
		log.Fatal(err)
	}
	request.ContentLength = size
	request.Header.Set("Authorization", os.Getenv("AUTHORIZATION"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	answer := map[string]any{"status": response.StatusCode, "protocol": response.Proto, "body": string(body)}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		log.Fatal(err)
	}
}
