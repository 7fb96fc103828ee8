//go:build linux

package charttest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"wavemill/charts/test/rendered"
)

// patience is how long anything may take on a busy machine.
const patience = 4 * time.Minute

// A cluster runs the containers of a render as processes: each pod in a network namespace of its own, each container with its
// own root, user, limits, environment and arguments. It does what a cluster's controllers would be asked to, one at a time.
type cluster struct {
	t       *testing.T
	net     *network
	client  *http.Client
	dir     string
	secrets map[string]map[string]string
	objects map[string]any
	places  map[string]place  // By the name of a pod.
	claims  map[string]string // The folders of volume claims.
	binary  string            // What the image has as /wavemill, in pods that are made from now on.
	cgroups []string
	pods    []*pod
	began   time.Time
}

// place is where a pod is in the network.
type place struct {
	file, address string
	labels        map[string]string
	subdomain     string
}

func newCluster(t *testing.T, secrets map[string]map[string]string) *cluster {
	t.Helper()
	c := &cluster{t: t, net: newNetwork(t), secrets: secrets, places: map[string]place{}, binary: build(t).wavemill, claims: map[string]string{}, dir: t.TempDir(), began: time.Now()}
	// The temporary folder and its parents are closed to other users.
	for dir := c.dir; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: c.net.DialContext, DisableKeepAlives: true}}
	t.Cleanup(func() {
		for _, p := range c.pods {
			p.kill()
		}
		for _, dir := range c.cgroups {
			_ = os.Remove(dir) // What is left of it holds no process.
		}
	})
	return c
}

// bus starts a NATS server of the user's own, with a configuration and files beside it, and returns its pod and its name in DNS.
func (c *cluster) bus(name, config string, files map[string]string) (*pod, string) {
	c.t.Helper()
	former := c.objects
	defer func() { c.objects = former }()
	c.apply("nats: {mode: bundled}") // The pod of a server is that of the chart.
	data := c.objects["ConfigMap/mill-wavemill-nats"].(*corev1.ConfigMap).Data
	data["nats.conf"] = config
	maps.Copy(data, files)
	p := c.run(name, "nats").ready()
	return p, name + "." + p.place.subdomain
}

// apply renders the chart: the pods that are made from now on are those of the render.
func (c *cluster) apply(values string) {
	c.t.Helper()
	c.objects = mustRender(c.t, values)
}

// template returns the pod of a component, and its stateful set if it has one.
func (c *cluster) template(component string) (corev1.PodTemplateSpec, *appsv1.StatefulSet) {
	c.t.Helper()
	for _, o := range c.objects {
		if s, ok := o.(*appsv1.StatefulSet); ok && s.Spec.Template.Labels["app.kubernetes.io/component"] == component {
			return s.Spec.Template, s
		}
	}
	template, ok := rendered.Pods(c.objects)[component]
	if !ok {
		c.t.Fatalf("the render has no pod of %s", component)
	}
	return template, nil
}

// place gives a pod its namespace and address, the same for the same name.
func (c *cluster) place(name, component string) place {
	c.t.Helper()
	p, ok := c.places[name]
	if !ok {
		template, set := c.template(component)
		p.file, p.address = c.net.join()
		p.labels = template.Labels
		if set != nil {
			p.subdomain = set.Spec.ServiceName
		}
		c.places[name] = p
	}
	return p
}

// hosts are the names of services and pods, as the cluster's DNS has them.
func (c *cluster) hosts() string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	line := func(address, name string) {
		fmt.Fprintf(&b, "%s %s %s.audio.svc %s.audio.svc.cluster.local\n", address, name, name, name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.places)) {
		p := c.places[name]
		if p.subdomain != "" {
			line(p.address, name+"."+p.subdomain)
		}
		for _, o := range c.objects {
			if s, ok := o.(*corev1.Service); ok && rendered.Matches(s.Spec.Selector, p.labels) {
				line(p.address, s.Name)
			}
		}
	}
	return b.String()
}

// A pod is one that runs.
type pod struct {
	c          *cluster
	name       string
	spec       corev1.PodSpec
	binary     string
	place      place
	volumes    map[string]string
	containers []*container
}

// make makes the pod of a component without starting its containers.
func (c *cluster) make(name, component string) *pod {
	c.t.Helper()
	template, set := c.template(component)
	p := &pod{c: c, name: name, binary: c.binary, spec: template.Spec, place: c.place(name, component), volumes: map[string]string{}}
	if set != nil {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			p.volumes[claim.Name] = c.claim(claim.Name + "-" + name)
		}
	}
	for _, v := range template.Spec.Volumes {
		p.volumes[v.Name] = c.volume(name, v)
	}
	c.pods = append(c.pods, p)
	return p
}

// claim returns the folder of a volume claim, which outlives its pods.
func (c *cluster) claim(name string) string {
	if c.claims[name] == "" {
		c.claims[name] = c.folder(filepath.Join("claims", name), 65532)
	}
	return c.claims[name]
}

func (c *cluster) folder(name string, owner int) string {
	c.t.Helper()
	dir := filepath.Join(c.dir, name)
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chown(dir, owner, owner)); err != nil {
		c.t.Fatal(err)
	}
	return dir
}

// volume makes the folder of a volume with its files.
func (c *cluster) volume(podName string, v corev1.Volume) string {
	c.t.Helper()
	dir := c.folder(filepath.Join("volumes", podName+"-"+strconv.Itoa(len(c.pods)), v.Name), 65532)
	var files map[string]string
	switch {
	case v.EmptyDir != nil:
	case v.ConfigMap != nil:
		object, ok := c.objects["ConfigMap/"+v.ConfigMap.Name].(*corev1.ConfigMap)
		if !ok {
			c.t.Fatalf("%s: there is no ConfigMap %s", podName, v.ConfigMap.Name)
		}
		files = object.Data
	case v.Secret != nil:
		files = c.secrets[v.Secret.SecretName]
		if files == nil {
			c.t.Fatalf("%s: there is no Secret %s", podName, v.Secret.SecretName)
		}
	default:
		c.t.Fatalf("%s: a volume of another kind: %+v", podName, v)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	return dir
}

// environment returns the variables of a container, with references resolved as the kubelet does.
func (p *pod) environment(spec corev1.Container) []string {
	p.c.t.Helper()
	known := map[string]string{"PATH": "/usr/local/bin:/", "HOME": "/data"}
	for _, e := range spec.Env {
		value := e.Value
		for name, other := range known {
			value = strings.ReplaceAll(value, "$("+name+")", other)
		}
		switch from := e.ValueFrom; {
		case from == nil:
		case from.SecretKeyRef != nil:
			secret, ok := p.c.secrets[from.SecretKeyRef.Name][from.SecretKeyRef.Key]
			if !ok {
				p.c.t.Fatalf("%s: the Secret %s has no key %s", p.name, from.SecretKeyRef.Name, from.SecretKeyRef.Key)
			}
			value = secret
		case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.name":
			value = p.name
		case from.ResourceFieldRef != nil && from.ResourceFieldRef.Resource == "limits.cpu":
			value = strconv.FormatInt((spec.Resources.Limits.Cpu().MilliValue()+999)/1000, 10)
		default:
			p.c.t.Fatalf("%s: %s from elsewhere: %+v", p.name, e.Name, from)
		}
		known[e.Name] = value
	}
	var env []string
	for name, value := range known {
		env = append(env, name+"="+value)
	}
	return env
}

// jail describes the process of a container that runs args.
func (p *pod) jail(spec corev1.Container, args []string) jail {
	p.c.t.Helper()
	t := p.c.t
	own, s := p.spec.SecurityContext, spec.SecurityContext
	root := p.c.folder(filepath.Join("roots", p.name+"-"+strconv.Itoa(len(p.c.pods))+"-"+spec.Name), 0)
	env := p.environment(spec)
	j := jail{
		Network: p.place.file, Root: root, ReadOnly: s.ReadOnlyRootFilesystem != nil && *s.ReadOnlyRootFilesystem,
		UID: int(*own.RunAsUser), GID: int(*own.RunAsGroup), Dir: "/data", Env: env, Args: expand(args, env), Mounts: map[string]string{},
	}
	for _, dir := range []string{"tmp", "data", "etc", "usr/local/bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for at, program := range map[string]string{"wavemill": p.binary, "usr/local/bin/nats-server": build(t).nats} {
		if err := os.Link(program, filepath.Join(root, at)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "etc", "hosts"), []byte(p.c.hosts()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, m := range spec.VolumeMounts {
		if p.volumes[m.Name] == "" {
			t.Fatalf("%s mounts %s, which is no volume", p.name, m.Name)
		}
		if err := os.MkdirAll(filepath.Join(root, m.MountPath), 0o755); err != nil {
			t.Fatal(err)
		}
		j.Mounts[m.MountPath] = p.volumes[m.Name]
		if m.ReadOnly {
			j.Fixed = append(j.Fixed, m.MountPath)
		}
	}
	j.Cgroups = p.c.limit(spec.Resources.Limits.Memory().Value())
	return j
}

// limit makes a memory cgroup with a limit and returns the file for process ids. Where cgroups cannot be written, GOMEMLIMIT
// alone limits the process.
func (c *cluster) limit(limit int64) []string {
	for base, file := range map[string]string{"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"} {
		dir := filepath.Join(base, fmt.Sprintf("wmchart-%d-%d", os.Getpid(), len(c.cgroups)))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		if os.WriteFile(filepath.Join(dir, file), []byte(strconv.FormatInt(limit, 10)), 0o600) != nil {
			_ = os.Remove(dir) // Of another version.
			continue
		}
		c.cgroups = append(c.cgroups, dir)
		return []string{filepath.Join(dir, "cgroup.procs")}
	}
	return nil
}
