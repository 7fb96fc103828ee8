package rendered

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// Component is the label that names what a pod is of a release.
const Component = "app.kubernetes.io/component"

// Templates returns the pod of every workload by "Kind/name", those of hooks included.
func Templates(objects map[string]any) map[string]corev1.PodTemplateSpec {
	out := map[string]corev1.PodTemplateSpec{}
	for key, o := range objects {
		switch o := o.(type) {
		case *appsv1.Deployment:
			out[key] = o.Spec.Template
		case *appsv1.StatefulSet:
			out[key] = o.Spec.Template
		case *batchv1.Job:
			out[key] = o.Spec.Template
		case *corev1.Pod:
			out[key] = corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
		}
	}
	return out
}

// Pods returns the same by component.
func Pods(objects map[string]any) map[string]corev1.PodTemplateSpec {
	out := map[string]corev1.PodTemplateSpec{}
	for _, template := range Templates(objects) {
		out[template.Labels[Component]] = template
	}
	return out
}

// Containers returns all containers of a pod, init containers first.
func Containers(pod corev1.PodSpec) []corev1.Container {
	return slices.Concat(pod.InitContainers, pod.Containers)
}

// Matches reports whether a selector selects labels. An empty one selects none.
func Matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}
