{{/* Probes of a container that serves the health pages. It is started when it is connected and its operators run; alive
while it answers; ready while it can do its work. */}}
{{- define "wavemill.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 4
  failureThreshold: 2
{{- end -}}

{{/* The pod of one operator. Takes {root, name, values}. */}}
{{- define "wavemill.pod" -}}
{{- $root := .root -}}
{{- $o := .values -}}
{{- $train := eq $o.kind "train" -}}
metadata:
  labels:
    {{- include "wavemill.labels" (dict "root" $root "operator" .name) | nindent 4 }}
    {{- include "wavemill.metricsLabel" . | nindent 4 }}
    {{- with $o.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/pipeline: {{ include "wavemill.pipeline" $root | sha256sum }}
    {{- with $o.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "wavemill.serviceAccountName" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $o.terminationGracePeriodSeconds }}
  {{- with $o.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $root.Values.podSecurityContext | nindent 4 }}
  containers:
    - name: {{ .name }}
      image: {{ include "wavemill.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args:
        - operator
        - {{ .name }}
        - --file=/etc/wavemill/pipeline.yaml
        - --http=:{{ $root.Values.http.port }}
        - --log=json
        - --log-level={{ $root.Values.log.level }}
        {{- if $train }}
        - --checkpoints=/var/lib/wavemill
        {{- end }}
      env:
        {{- include "wavemill.busEnv" $root | nindent 8 }}
        {{- include "wavemill.runtimeEnv" $o.resources | nindent 8 }}
        {{- include "wavemill.tracingEnv" $root | nindent 8 }}
        {{- with $o.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $o.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ $root.Values.http.port }}
      {{- include "wavemill.probes" . | nindent 6 }}
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
        {{- if $train }}
        - name: data
          mountPath: /var/lib/wavemill
        {{- end }}
        {{- include "wavemill.loginMounts" $root | nindent 8 }}
        {{- with $o.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: pipeline
      configMap:
        name: {{ include "wavemill.fullname" $root }}-pipeline
    - name: tmp
      emptyDir: {}
    {{- if $train }}
    {{- if not $o.persistence.enabled }}
    - name: data
      emptyDir: {}
    {{- else if $o.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ $o.persistence.existingClaim }}
    {{- end }}
    {{- end }}
    {{- include "wavemill.loginVolumeList" $root | nindent 4 }}
    {{- with $o.extraVolumes }}
    {{- toYaml . | nindent 4 }}
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
  topologySpreadConstraints:
    {{- include "wavemill.spread" (dict "root" $root "operator" .name "own" $o.topologySpreadConstraints) | nindent 4 }}
{{- end -}}

{{/* The pod of a hook: a program that ends. Takes {root, name, pipeline, resources}; the caller adds containers to spec. */}}
{{- define "wavemill.hookSpec" -}}
restartPolicy: Never
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
volumes:
  - name: pipeline
    configMap:
      name: {{ .pipeline }}
  - name: tmp
    emptyDir: {}
  {{- include "wavemill.loginVolumeList" .root | nindent 2 }}
{{- end -}}

{{/* A container of a hook. Takes {root, name, args, resources}. */}}
{{- define "wavemill.hookContainer" -}}
- name: {{ .name }}
  image: {{ include "wavemill.image" .root | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args:
    {{- toYaml .args | nindent 4 }}
  env:
    {{- include "wavemill.busEnv" .root | nindent 4 }}
    {{- include "wavemill.runtimeEnv" .resources | nindent 4 }}
  resources:
    {{- toYaml .resources | nindent 4 }}
  securityContext:
    {{- toYaml .root.Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: pipeline
      mountPath: /etc/wavemill
      readOnly: true
    - name: tmp
      mountPath: /tmp
    {{- include "wavemill.loginMounts" .root | nindent 4 }}
{{- end -}}
