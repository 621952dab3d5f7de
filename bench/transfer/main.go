// Sends one request with the HTTP stack of Go, on which docker, podman, containerd, skopeo and crane are built:
//
//	transfer METHOD URL AUTHORITY-FILE AUTHORIZATION BODY-FILE
//
// An empty AUTHORITY-FILE means plain HTTP, an empty BODY-FILE no body.
// Prints the status, and the seconds from the request to the end of the answer.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	method, url, authority, authorization, body := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	request, err := http.NewRequest(method, url, nil)
	check(err)
	if body != "" {
		file, err := os.Open(body)
		check(err)
		about, err := file.Stat()
		check(err)
		request.Body, request.ContentLength = file, about.Size()
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	transport := &http.Transport{} // with a TLS configuration of its own it uses HTTP/1.1 only
	if authority != "" {
		pem, err := os.ReadFile(authority)
		check(err)
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: trusted}
	}
	// Clients have sent requests before they send a blob: the connection is open, and the TLS handshake is done.
	first, err := http.NewRequest("GET", request.URL.Scheme+"://"+request.URL.Host+"/v2/", nil)
	check(err)
	greeting, err := transport.RoundTrip(first)
	check(err)
	_, err = io.Copy(io.Discard, greeting.Body)
	check(err)
	greeting.Body.Close()
	started := time.Now()
	response, err := transport.RoundTrip(request)
	check(err)
	_, err = io.Copy(io.Discard, response.Body)
	check(err)
	fmt.Printf("%d %.6f\n", response.StatusCode, time.Since(started).Seconds())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
