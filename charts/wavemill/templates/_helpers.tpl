{{/* The chart's name, for labels. */}}
{{- define "wavemill.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The prefix of every object's name. */}}
{{- define "wavemill.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "wavemill.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "wavemill.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change: what selectors use. Takes {root, operator}. */}}
{{- define "wavemill.selectorLabels" -}}
app.kubernetes.io/name: {{ include "wavemill.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with get . "operator" }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "wavemill.labels" -}}
{{ include "wavemill.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The label of pods that serve metrics. */}}
{{- define "wavemill.metricsLabel" -}}
wavemill-metrics: "true"
{{- end -}}

{{- define "wavemill.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "wavemill.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The reference of an image. Takes {image, registry, tag}; tag is the one of an empty image.tag. */}}
{{- define "wavemill.imageOf" -}}
{{- $repository := .image.repository -}}
{{- with .registry -}}{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .tag .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "wavemill.image" -}}
{{- include "wavemill.imageOf" (dict "image" .Values.image "registry" .Values.image.registry "tag" .Chart.AppVersion) -}}
{{- end -}}

{{/* A quantity of memory or storage in bytes; empty for other texts, such as 1e3. */}}
{{- define "wavemill.bytes" -}}
{{- $text := toString . -}}
{{- $units := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 -}}
{{- if kindIs "float64" . -}}
{{- . | int64 -}}
{{- else if regexMatch "^[0-9]+(\\.[0-9]+)?([kMGTP]|[KMGTP]i)?$" $text -}}
{{- mulf (regexFind "^[0-9]+(\\.[0-9]+)?" $text | float64) (get $units (regexFind "[A-Za-z]*$" $text)) | floor | int64 -}}
{{- end -}}
{{- end -}}

{{/* 90 % of a memory limit in bytes, for GOMEMLIMIT; empty without a limit. */}}
{{- define "wavemill.memoryLimit" -}}
{{- with include "wavemill.bytes" . -}}
{{- div (mul (int64 .) 9) 10 -}}
{{- end -}}
{{- end -}}

{{/* Variables of the Go runtime that follow the limits of a container. Takes resources. */}}
{{- define "wavemill.runtimeEnv" -}}
{{- with include "wavemill.memoryLimit" (dig "limits" "memory" "" .) }}
- name: GOMEMLIMIT
  value: {{ printf "%sB" . }}
{{- end }}
{{- if dig "limits" "cpu" "" . }}
- name: GOMAXPROCS
  valueFrom:
    resourceFieldRef:
      resource: limits.cpu
      divisor: "1"
{{- end }}
{{- end -}}

{{/* Spreads the pods of a component over nodes and zones. Takes {root, operator, own}; without a labelSelector, Kubernetes counts no pod. */}}
{{- define "wavemill.spread" -}}
{{- if .own }}
{{- $own := list }}
{{- range .own }}
{{- if not (hasKey . "labelSelector") }}
{{- $selector := include "wavemill.selectorLabels" (dict "root" $.root "operator" $.operator) | fromYaml }}
{{- $own = append $own (merge (dict "labelSelector" (dict "matchLabels" $selector)) .) }}
{{- else }}
{{- $own = append $own . }}
{{- end }}
{{- end }}
{{- toYaml $own }}
{{- else }}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "wavemill.selectorLabels" (dict "root" $.root "operator" $.operator) | nindent 6 }}
{{- end }}
{{- end }}
{{- end -}}
