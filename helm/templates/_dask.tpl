{{/* Pods of the Dask cluster, the same for this chart's Deployments and for the Dask operator. */}}
{{- define "heliolake.schedulerPod" -}}
{{- $disk := dict "cacheGiB" 1 "scratchGiB" 1 -}}
{{ include "heliolake.pod" . }}
serviceAccountName: {{ include "heliolake.account" . }}
containers:
  - name: scheduler
    {{- include "heliolake.container" . | nindent 4 }}
    args:
      - python
      - -m
      - distributed.cli.dask_scheduler
      - --protocol=tls
      - --port=8786
      - --dashboard-address=:8787
    ports:
      - {name: tcp-comm, containerPort: 8786}
      - {name: http-dashboard, containerPort: 8787}
    env: {{- include "heliolake.computeEnv" (dict "top" . "cacheGiB" 1) | nindent 6 }}
      {{- include "heliolake.boardEnv" . | nindent 6 }}
    startupProbe:
      httpGet: {path: /health, port: http-dashboard}
      failureThreshold: 60
      periodSeconds: 2
    readinessProbe:
      httpGet: {path: /health, port: http-dashboard}
    livenessProbe:
      httpGet: {path: /health, port: http-dashboard}
      timeoutSeconds: 10
      failureThreshold: 6
    {{- include "heliolake.resources" (dict "memoryMiB" .Values.dask.scheduler.memoryMiB "cpus" .Values.dask.scheduler.cpus "diskGiB" 5) | nindent 4 }}
    volumeMounts: {{- include "heliolake.computeMounts" . | nindent 6 }}
      {{- include "heliolake.boardMounts" . | nindent 6 }}
volumes: {{- include "heliolake.computeVolumes" (merge (dict "top" .) $disk) | nindent 2 }}
  {{- include "heliolake.boardVolume" . | nindent 2 }}
{{- end -}}

{{/* What the page in the dashboard reads: where the lake is, and the URL of a role that may read. */}}
{{- define "heliolake.boardEnv" -}}
{{- if .Values.dask.dashboard.secret.name }}
- {name: HELIOLAKE_BOARD, value: /etc/heliolake/board}
{{- end }}
{{- end -}}

{{- define "heliolake.boardMounts" -}}
{{- if .Values.dask.dashboard.secret.name }}
- {name: settings, mountPath: /etc/heliolake/board/lake.yaml, subPath: lake.yaml, readOnly: true}
- {name: settings, mountPath: /etc/heliolake/board/sites.yaml, subPath: sites.yaml, readOnly: true}
- {name: board, mountPath: /run/secrets/database, readOnly: true}
{{- end }}
{{- end -}}

{{- define "heliolake.boardVolume" -}}
{{- with .Values.dask.dashboard.secret }}
{{- if .name }}
- name: board
  secret: {secretName: {{ .name }}, defaultMode: 0440, items: [{key: {{ .key | quote }}, path: url}]}
{{- end }}
{{- end }}
{{- end -}}

{{/* Annotations by which a Prometheus finds pods by itself. */}}
{{- define "heliolake.scrape" -}}
{{- if .Values.dask.metrics.scrape -}}
prometheus.io/scrape: "true"
prometheus.io/port: "8787"
prometheus.io/path: /metrics
{{- end -}}
{{- end -}}

{{- define "heliolake.workerPod" -}}
{{- $worker := .Values.dask.worker -}}
{{- $memory := add (mul $worker.processes $worker.memoryMiB) $worker.headroomMiB -}}
{{- $disk := add $worker.cacheGiB $worker.scratchGiB 3 -}}
{{ include "heliolake.pod" . }}
serviceAccountName: {{ include "heliolake.account" . }}
# Long enough for what is at work to be told to others.
terminationGracePeriodSeconds: 60
containers:
  - name: worker
    {{- include "heliolake.container" . | nindent 4 }}
    args:
      - python
      - -m
      - distributed.cli.dask_worker
      - {{ include "heliolake.daskAddress" . }}
      - --protocol=tls
      - --nworkers={{ $worker.processes }}
      - --nthreads=1
      - --memory-limit={{ $worker.memoryMiB }}MiB
      - --worker-port=9000:9049
      - --nanny-port=9050:9099
      - --local-directory=/scratch
      - --death-timeout={{ $worker.deathTimeout }}
      - --no-dashboard
    env: {{- include "heliolake.computeEnv" (dict "top" . "cacheGiB" $worker.cacheGiB) | nindent 6 }}
    {{- include "heliolake.resources" (dict "memoryMiB" $memory "cpus" $worker.processes "diskGiB" $disk) | nindent 4 }}
    volumeMounts: {{- include "heliolake.computeMounts" . | nindent 6 }}
volumes: {{- include "heliolake.computeVolumes" (dict "top" . "cacheGiB" $worker.cacheGiB "scratchGiB" $worker.scratchGiB) | nindent 2 }}
{{- end -}}
