package apiservertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"wavemill/charts/test/rendered"
)

// A space is a namespace that admits only restricted pods, with clients.
type space struct {
	t       *testing.T
	name    string
	client  *kubernetes.Clientset
	dynamic *dynamic.DynamicClient

	mu       sync.Mutex
	warnings []string
	jobs     int     // Jobs of hooks that were seen.
	refused  []error // Pods of hooks that were not admitted.
}

// HandleWarningHeader keeps a warning of the server.
func (s *space) HandleWarningHeader(_ int, _, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.warnings, text) {
		s.warnings = append(s.warnings, text)
	}
}

// newSpace makes a namespace, and in it what a cluster's controllers would: the default service account, and the end of Jobs.
func newSpace(t *testing.T, kubeconfig, name string) *space {
	t.Helper()
	s := &space{t: t, name: name}
	config, err := getter(t, kubeconfig, name, rest.NoWarnings{}).ToRESTConfig()
	if err == nil {
		s.client, err = kubernetes.NewForConfig(config)
	}
	if err == nil {
		s.dynamic, err = dynamic.NewForConfig(config)
	}
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for _, what := range []string{"enforce", "warn"} {
		labels["pod-security.kubernetes.io/"+what] = "restricted"
	}
	ctx := t.Context()
	if _, err := s.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.CoreV1().ServiceAccounts(name).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The priority that the values "full" name; others of the same name would be refused.
	_, err = s.client.SchedulingV1().PriorityClasses().Create(ctx, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "audio"}, Value: 10}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	s.define(ctx)
	s.finishJobs(ctx)
	return s
}

// finishJobs notes of every Job that it has ended well, as the Job controller would after its pod had; each pod must be admitted.
func (s *space) finishJobs(ctx context.Context) {
	s.t.Helper()
	w, err := s.client.BatchV1().Jobs(s.name).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for event := range w.ResultChan() {
			job, ok := event.Object.(*batchv1.Job)
			if !ok || event.Type != watch.Added {
				continue
			}
			// What was seen is noted before Helm goes on.
			s.note(job.Name, s.admit(ctx, job.Spec.Template))
			if err := s.finish(ctx, job); err != nil {
				s.t.Errorf("job %s: %v", job.Name, err)
			}
		}
	})
	s.t.Cleanup(func() {
		w.Stop()
		done.Wait()
	})
}

// note counts a Job whose pod was tried.
func (s *space) note(job string, refusal error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs++
	if refusal != nil {
		s.refused = append(s.refused, fmt.Errorf("job %s: %w", job, refusal))
	}
}

// finish writes the status of a Job that has ended well.
func (s *space) finish(ctx context.Context, job *batchv1.Job) error {
	now := metav1.NewTime(time.Now())
	job.Status = batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: 1, UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{}}
	for _, kind := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now, LastProbeTime: now})
	}
	_, err := s.client.BatchV1().Jobs(s.name).UpdateStatus(ctx, job, metav1.UpdateOptions{})
	return err
}

// admit makes a pod of a template by a dry run: validation and admission are those of a real pod.
func (s *space) admit(ctx context.Context, template corev1.PodTemplateSpec) error {
	pod := &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
	pod.Name, pod.GenerateName = "", "dry-"
	_, err := s.client.CoreV1().Pods(s.name).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// templates returns the pods of a manifest by "Kind/name"; those of stateful sets have their claims as volumes.
func templates(t *testing.T, manifest string) map[string]corev1.PodTemplateSpec {
	t.Helper()
	objects, err := rendered.Decode(map[string]string{"manifest": manifest})
	if err != nil {
		t.Fatal(err)
	}
	found := rendered.Templates(objects)
	for key, template := range found {
		set, ok := objects[key].(*appsv1.StatefulSet)
		if !ok {
			continue
		}
		for _, claim := range set.Spec.VolumeClaimTemplates {
			template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + set.Name + "-0"},
			}})
		}
		found[key] = template
	}
	return found
}

func decode(t *testing.T, doc string, object any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(doc), object); err != nil {
		t.Fatal(err)
	}
}

// objects returns everything in the namespace by "resource/name", without what the server writes itself, Helm's own records and
// the default service account.
func (s *space) objects() map[string]any {
	s.t.Helper()
	lists, err := s.client.Discovery().ServerPreferredResources()
	if err != nil {
		s.t.Fatal(err)
	}
	lists = discovery.FilteredBy(discovery.ResourcePredicateFunc(func(_ string, r *metav1.APIResource) bool {
		return r.Namespaced && slices.Contains(r.Verbs, "list") && r.Name != "events"
	}), lists)
	found := map[string]any{}
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range list.APIResources {
			all, err := s.dynamic.Resource(group.WithResource(r.Name)).Namespace(s.name).List(s.t.Context(), metav1.ListOptions{})
			if err != nil {
				s.t.Fatalf("list %s: %v", r.Name, err)
			}
			for _, o := range all.Items {
				if r.Name == "serviceaccounts" && o.GetName() == "default" || o.GetLabels()["owner"] == "helm" {
					continue
				}
				for _, own := range []string{"resourceVersion", "generation", "managedFields"} {
					unstructured.RemoveNestedField(o.Object, "metadata", own)
				}
				delete(o.Object, "status")
				found[r.Name+"/"+o.GetName()] = o.Object
			}
		}
	}
	return found
}

// define makes the kinds of KEDA and of the Prometheus operator known, without their schemas: their fields are checked by the
// chart's other tests.
func (s *space) define(ctx context.Context) {
	s.t.Helper()
	at := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	for _, d := range []struct{ group, version, kind, plural string }{
		{"keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"},
		{"monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"},
		{"monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"},
	} {
		text := fmt.Sprintf(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: %[4]s.%[1]s}, spec: {
			group: %[1]s, scope: Namespaced, names: {kind: %[3]s, listKind: %[3]sList, plural: %[4]s, singular: %[5]s}, versions: [{
			name: %[2]s, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`,
			d.group, d.version, d.kind, d.plural, strings.ToLower(d.kind))
		var definition unstructured.Unstructured
		decode(s.t, strings.ReplaceAll(text, "\t", " "), &definition.Object)
		if _, err := s.dynamic.Resource(at).Create(ctx, &definition, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			s.t.Fatal(err)
		}
		s.served(ctx, schema.GroupVersionResource{Group: d.group, Version: d.version, Resource: d.plural})
	}
}

// served waits until the server lists a resource.
func (s *space) served(ctx context.Context, r schema.GroupVersionResource) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		list, err := s.client.Discovery().ServerResourcesForGroupVersion(r.GroupVersion().String())
		if err == nil && slices.ContainsFunc(list.APIResources, func(have metav1.APIResource) bool { return have.Name == r.Resource }) {
			if _, err = s.dynamic.Resource(r).List(ctx, metav1.ListOptions{}); err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is not served: %v", r, err)
		}
		select {
		case <-ctx.Done():
			s.t.Fatal(ctx.Err())
		case <-time.After(200 * time.Millisecond): // A poll, not a guess.
		}
	}
}
