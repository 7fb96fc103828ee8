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

{{- define "wavemill.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "wavemill.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "wavemill.image" -}}
{{- $image := .Values.image -}}
{{- $repository := $image.repository -}}
{{- if $image.registry -}}{{- $repository = printf "%s/%s" (trimSuffix "/" $image.registry) $repository -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The pipeline file that all operators read. */}}
{{- define "wavemill.pipeline" -}}
name: {{ .Values.pipeline.name | quote }}
{{- if or .Values.nats.credentials.existingSecret .Values.nats.tls.caConfigMap }}
auth:
  {{- if .Values.nats.credentials.existingSecret }}
  creds: {{ printf "/etc/nats/creds/%s" .Values.nats.credentials.key | quote }}
  {{- end }}
  {{- if .Values.nats.tls.caConfigMap }}
  ca: {{ printf "/etc/nats/ca/%s" .Values.nats.tls.caKey | quote }}
  {{- end }}
{{- end }}
{{- with .Values.pipeline.streams }}
streams:
  {{- toYaml . | nindent 2 }}
{{- end }}
operators:
{{- range $name := list "spectrogram" "train" "generate" }}
{{- $o := index $.Values $name }}
{{- if $o.enabled }}
  - name: {{ $name }}
    operator: {{ $name }}
    {{- with get $o "workers" }}
    workers: {{ . }}
    {{- end }}
    {{- with get $o "replicas" }}
    replicas: {{ . }}
    {{- end }}
    {{- with $o.config }}
    config:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* 90 % of a memory limit in Mi or Gi, for GOMEMLIMIT; empty for other units. */}}
{{- define "wavemill.memoryLimit" -}}
{{- $m := toString . -}}
{{- if regexMatch "^[0-9]+Gi$" $m -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Gi" $m | int) 1024 9) 10) -}}
{{- else if regexMatch "^[0-9]+Mi$" $m -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Mi" $m | int) 9) 10) -}}
{{- end -}}
{{- end -}}

{{/* Refuses what would render but not work. */}}
{{- define "wavemill.check" -}}
{{- if and (not .Values.nats.url) (not .Values.nats.existingSecret) -}}
{{- fail "nats.url is empty: set it to the NATS server's address, such as nats://nats.bus.svc:4222, or set nats.existingSecret to a Secret that holds it" -}}
{{- end -}}
{{- if and .Values.nats.url .Values.nats.existingSecret -}}
{{- fail "nats.url and nats.existingSecret are both set: keep one" -}}
{{- end -}}
{{- if not (or .Values.spectrogram.enabled .Values.train.enabled .Values.generate.enabled) -}}
{{- fail "every operator is disabled: enable spectrogram, train or generate" -}}
{{- end -}}
{{- range $name := list "spectrogram" "train" "generate" -}}
{{- $seen := dict "NATS_URL" true "GOMEMLIMIT" true -}}
{{- range (index $.Values $name).extraEnv -}}
{{- if hasKey $seen .name -}}
{{- fail (printf "%s.extraEnv: %s is set twice or by the chart itself" $name .name) -}}
{{- end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The pod of one operator. Takes {root, operator, values}. */}}
{{- define "wavemill.pod" -}}
{{- $root := .root -}}
{{- $o := .values -}}
metadata:
  labels:
    {{- include "wavemill.labels" (dict "root" $root "operator" .operator) | nindent 4 }}
  annotations:
    checksum/pipeline: {{ include "wavemill.pipeline" $root | sha256sum }}
    {{- with $o.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "wavemill.serviceAccountName" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $root.Values.podSecurityContext | nindent 4 }}
  containers:
    - name: {{ .operator }}
      image: {{ include "wavemill.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args:
        - operator
        - {{ .operator }}
        - --file=/etc/wavemill/pipeline.yaml
        - --nats=$(NATS_URL)
        - --http=:{{ $root.Values.http.port }}
        - --log=json
        {{- if eq .operator "train" }}
        - --checkpoints=/var/lib/wavemill
        {{- end }}
      env:
        - name: NATS_URL
          {{- if $root.Values.nats.existingSecret }}
          valueFrom:
            secretKeyRef:
              name: {{ $root.Values.nats.existingSecret }}
              key: {{ $root.Values.nats.urlKey }}
          {{- else }}
          value: {{ $root.Values.nats.url | quote }}
          {{- end }}
        {{- with include "wavemill.memoryLimit" (dig "limits" "memory" "" $o.resources) }}
        - name: GOMEMLIMIT
          value: {{ . }}
        {{- end }}
        {{- with $o.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: http
          containerPort: {{ $root.Values.http.port }}
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 10
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
      resources:
        {{- toYaml $o.resources | nindent 8 }}
      securityContext:
        {{- toYaml $root.Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: pipeline
          mountPath: /etc/wavemill
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- if eq .operator "train" }}
        - name: data
          mountPath: /var/lib/wavemill
        {{- end }}
        {{- if $root.Values.nats.credentials.existingSecret }}
        - name: nats-creds
          mountPath: /etc/nats/creds
          readOnly: true
        {{- end }}
        {{- if $root.Values.nats.tls.caConfigMap }}
        - name: nats-ca
          mountPath: /etc/nats/ca
          readOnly: true
        {{- end }}
  volumes:
    - name: pipeline
      configMap:
        name: {{ include "wavemill.fullname" $root }}-pipeline
    - name: tmp
      emptyDir: {}
    {{- if eq .operator "train" }}
    {{- if not $o.persistence.enabled }}
    - name: data
      emptyDir: {}
    {{- else if $o.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ $o.persistence.existingClaim }}
    {{- end }}
    {{- end }}
    {{- with $root.Values.nats.credentials.existingSecret }}
    - name: nats-creds
      secret:
        secretName: {{ . }}
    {{- end }}
    {{- with $root.Values.nats.tls.caConfigMap }}
    - name: nats-ca
      configMap:
        name: {{ . }}
    {{- end }}
  {{- with $o.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $o.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $o.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $o.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
