// Package apiservertest installs, upgrades, rolls back and uninstalls the Helm chart on a real API server, whose admission holds
// pods against the restricted Pod Security Standard. The server and its etcd are built from their Go modules and run as child
// processes on 127.0.0.1, with data in a temporary folder. There are no controllers, scheduler or kubelet, so no pod runs: the test
// makes each pod of the chart by a dry run, which passes the same admission. It is a module of its own because it needs the whole of
// Kubernetes, whose first build takes minutes; `make test-apiserver` runs it.
package apiservertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// patience is how long a start may take on a busy machine.
const patience = 3 * time.Minute

// The main packages of the two servers.
const (
	etcdPackage = "go.etcd.io/etcd/server/v3"
	apiPackage  = "k8s.io/kubernetes/cmd/kube-apiserver"
)

// serve builds the servers, runs them until the test ends, and returns the file that leads to the API server as an administrator.
func serve(t *testing.T) (kubeconfig string) {
	t.Helper()
	dir := t.TempDir()
	began := time.Now()
	if err := build(dir); err != nil {
		t.Fatal(err)
	}
	t.Logf("built the servers in %s", time.Since(began).Round(time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	etcd, err := startEtcd(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(etcd.stop)
	kubeconfig = filepath.Join(dir, "kubeconfig")
	api, err := startAPI(ctx, dir, etcd.address, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.stop)
	return kubeconfig
}

// build builds the servers into dir. The linker gives the API server its version, which its own makefile would do; the chart asks
// for a least version.
func build(dir string) error {
	version, err := output("go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	flags := "-s -w -X k8s.io/component-base/version.gitVersion=" + strings.TrimSpace(version)
	for name, pkg := range map[string]string{"etcd": etcdPackage, "kube-apiserver": apiPackage} {
		if _, err := output("go", "build", "-buildvcs=false", "-ldflags", flags, "-o", filepath.Join(dir, name), pkg); err != nil {
			return err
		}
	}
	return nil
}

// output runs a command that builds.
func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.Bytes())
	}
	return string(text), nil
}

// A server is a child process with a log file.
type server struct {
	cmd     *exec.Cmd
	address string // host:port.
	log     string
	ended   chan struct{}
}

// start starts a program of dir.
func start(dir, name, address string, args ...string) (*server, error) {
	s := &server{cmd: exec.Command(filepath.Join(dir, name), args...), address: address, log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // The log has the reason.
		close(s.ended)
	}()
	return s, nil
}

// await polls ready until it succeeds. A server that ends, or that is not ready in time, is an error with the end of its log.
func (s *server) await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
			continue
		case <-s.ended:
		case <-ctx.Done():
		}
		s.stop()
		text, _ := os.ReadFile(s.log)
		return fmt.Errorf("%s is not ready: %w\n%s", s.cmd.Path, err, text[max(0, len(text)-4000):])
	}
}

// stop asks the process to end, and ends it after ten seconds.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // It may have ended.
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// addresses returns n addresses of 127.0.0.1 that were free a moment ago.
func addresses(n int) ([]string, error) {
	var free []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		free = append(free, l.Addr().String())
	}
	return free, nil
}

func startEtcd(ctx context.Context, dir string) (*server, error) {
	free, err := addresses(2)
	if err != nil {
		return nil, err
	}
	client, peer := "http://"+free[0], "http://"+free[1]
	s, err := start(dir, "etcd", free[0],
		"--name=test", "--data-dir="+filepath.Join(dir, "data"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=test="+peer)
	if err != nil {
		return nil, err
	}
	return s, s.await(ctx, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// startAPI starts the API server, with the admission plugins that are on by default, and writes kubeconfig.
func startAPI(ctx context.Context, dir, etcd, kubeconfig string) (*server, error) {
	free, err := addresses(1)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(free[0])
	if err != nil {
		return nil, err
	}
	token := rand.Text()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	keyFile, tokenFile, certs := filepath.Join(dir, "accounts.key"), filepath.Join(dir, "tokens.csv"), filepath.Join(dir, "certs")
	for name, text := range map[string][]byte{
		keyFile:   pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		tokenFile: []byte(token + ",tester,tester,system:masters\n"),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return nil, err
		}
	}
	s, err := start(dir, "kube-apiserver", free[0],
		"--etcd-servers=http://"+etcd, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+port,
		"--endpoint-reconciler-type=none", "--cert-dir="+certs, "--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged", // It is admission that decides, as in a cluster.
		"--authorization-mode=RBAC", "--token-auth-file="+tokenFile, "--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+keyFile, "--service-account-signing-key-file="+keyFile)
	if err != nil {
		return nil, err
	}
	file := clientcmdapi.NewConfig()
	file.Clusters["test"] = &clientcmdapi.Cluster{Server: "https://" + s.address, CertificateAuthority: filepath.Join(certs, "apiserver.crt")}
	file.AuthInfos["tester"] = &clientcmdapi.AuthInfo{Token: token}
	file.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "tester"}
	file.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*file, kubeconfig); err != nil {
		return nil, err
	}
	return s, s.await(ctx, func(ctx context.Context) error {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// getter returns what Helm reaches the API server with. warn hears the server's warnings, of deprecated fields and of pods that
// would not be admitted.
func getter(t *testing.T, kubeconfig, namespace string, warn rest.WarningHandler) *genericclioptions.ConfigFlags {
	flags := genericclioptions.NewConfigFlags(true)
	cache := t.TempDir()
	flags.KubeConfig, flags.Namespace, flags.CacheDir = &kubeconfig, &namespace, &cache
	flags.WrapConfigFn = func(c *rest.Config) *rest.Config {
		c.WarningHandler = warn
		c.QPS, c.Burst = 200, 400
		return c
	}
	return flags
}
