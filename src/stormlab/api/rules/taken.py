"""Which fields of a manifest the lab takes, struct by struct: what has effect here, and what need not have one.

A list of what is known rather than of what is not: a field that stands in neither is refused (`rules.lab`), so nobody
relies on something that does not happen. Every struct that these fields lead to has an entry, tests see to that.
"""

from __future__ import annotations

HONOURED: dict[str, str] = {
    "PodSpec": "containers initContainers volumes restartPolicy terminationGracePeriodSeconds hostname "
    "subdomain hostAliases hostNetwork hostPID shareProcessNamespace securityContext nodeName nodeSelector "
    "affinity tolerations topologySpreadConstraints schedulerName serviceAccount serviceAccountName "
    "automountServiceAccountToken dnsPolicy",
    "HostAlias": "ip hostnames",
    "Container": "name image command args env envFrom ports volumeMounts workingDir startupProbe readinessProbe "
    "livenessProbe lifecycle resources securityContext",
    "EnvVar": "name value valueFrom",
    "EnvVarSource": "fieldRef resourceFieldRef configMapKeyRef secretKeyRef",
    "EnvFromSource": "configMapRef secretRef prefix",
    "ConfigMapEnvSource": "name optional",
    "SecretEnvSource": "name optional",
    "ConfigMapKeySelector": "name key optional",
    "SecretKeySelector": "name key optional",
    "ObjectFieldSelector": "apiVersion fieldPath",
    "ResourceFieldSelector": "containerName resource divisor",
    "ContainerPort": "name containerPort protocol hostPort",
    "VolumeMount": "name mountPath subPath readOnly mountPropagation",
    "Probe": "httpGet tcpSocket exec initialDelaySeconds periodSeconds timeoutSeconds successThreshold "
    "failureThreshold terminationGracePeriodSeconds",
    "HTTPGetAction": "path port host scheme httpHeaders",
    "HTTPHeader": "name value",
    "TCPSocketAction": "port host",
    "ExecAction": "command",
    "Lifecycle": "postStart preStop",
    "LifecycleHandler": "exec httpGet sleep",
    "SleepAction": "seconds",
    "ResourceRequirements": "limits requests",
    "SecurityContext": "runAsUser runAsGroup runAsNonRoot readOnlyRootFilesystem privileged capabilities",
    "PodSecurityContext": "runAsUser runAsGroup runAsNonRoot",
    "Capabilities": "add drop",
    "Volume": "name configMap secret downwardAPI projected emptyDir persistentVolumeClaim hostPath",
    "ConfigMapVolumeSource": "name items optional defaultMode",
    "SecretVolumeSource": "secretName items optional defaultMode",
    "KeyToPath": "key path mode",
    "DownwardAPIVolumeSource": "items defaultMode",
    "DownwardAPIVolumeFile": "path fieldRef resourceFieldRef mode",
    "ProjectedVolumeSource": "sources defaultMode",
    "VolumeProjection": "configMap secret downwardAPI serviceAccountToken",
    "ConfigMapProjection": "name items optional",
    "SecretProjection": "name items optional",
    "DownwardAPIProjection": "items",
    "ServiceAccountTokenProjection": "path",
    "EmptyDirVolumeSource": "medium sizeLimit",
    "PersistentVolumeClaimVolumeSource": "claimName readOnly",
    "HostPathVolumeSource": "path type",
    "Affinity": "nodeAffinity podAffinity podAntiAffinity",
    "NodeAffinity": "requiredDuringSchedulingIgnoredDuringExecution",
    "NodeSelector": "nodeSelectorTerms",
    "NodeSelectorTerm": "matchExpressions matchFields",
    "NodeSelectorRequirement": "key operator values",
    "PodAffinity": "requiredDuringSchedulingIgnoredDuringExecution",
    "PodAntiAffinity": "requiredDuringSchedulingIgnoredDuringExecution",
    "PodAffinityTerm": "labelSelector namespaces topologyKey",
    "LabelSelector": "matchLabels matchExpressions",
    "LabelSelectorRequirement": "key operator values",
    "Toleration": "key operator value effect tolerationSeconds",
    "TopologySpreadConstraint": "maxSkew topologyKey whenUnsatisfiable labelSelector",
    "DeploymentSpec": "replicas selector template strategy minReadySeconds paused progressDeadlineSeconds "
    "revisionHistoryLimit",
    "DeploymentStrategy": "type rollingUpdate",
    "RollingUpdateDeployment": "maxSurge maxUnavailable",
    "ReplicaSetSpec": "replicas selector template minReadySeconds",
    "StatefulSetSpec": "replicas selector template serviceName podManagementPolicy updateStrategy volumeClaimTemplates "
    "ordinals minReadySeconds persistentVolumeClaimRetentionPolicy",
    "StatefulSetUpdateStrategy": "type rollingUpdate",
    "RollingUpdateStatefulSetStrategy": "partition",
    "StatefulSetOrdinals": "start",
    "StatefulSetPersistentVolumeClaimRetentionPolicy": "whenDeleted whenScaled",
    "DaemonSetSpec": "selector template updateStrategy minReadySeconds",
    "DaemonSetUpdateStrategy": "type rollingUpdate",
    "RollingUpdateDaemonSet": "maxUnavailable maxSurge",
    "PodTemplateSpec": "metadata spec",
    "PersistentVolumeClaim": "apiVersion kind metadata spec status",
    "PersistentVolumeClaimSpec": "accessModes resources volumeMode volumeName",
    "VolumeResourceRequirements": "requests",
    "ServiceSpec": "type clusterIP clusterIPs externalName externalTrafficPolicy internalTrafficPolicy ports "
    "publishNotReadyAddresses selector sessionAffinity ipFamilies ipFamilyPolicy trafficDistribution",
    "ServicePort": "name port protocol targetPort nodePort",
    "PodDisruptionBudgetSpec": "minAvailable maxUnavailable selector unhealthyPodEvictionPolicy",
}

WITHOUT_EFFECT: dict[str, dict[str, str]] = {
    "PodSpec": {
        "priority": "nothing is ever preempted",
        "priorityClassName": "nothing is ever preempted",
        "preemptionPolicy": "nothing is ever preempted",
        "enableServiceLinks": "services are found by name; the variables of old are not set",
        "imagePullSecrets": "an image is a program of this machine",
        "os": "there is one system",
    },
    "Container": {
        "imagePullPolicy": "an image is a program of this machine",
        "terminationMessagePath": "a container's last words are in its log",
        "terminationMessagePolicy": "a container's last words are in its log",
    },
    "PodSecurityContext": {
        "fsGroup": "a container owns its volumes",
        "fsGroupChangePolicy": "a container owns its volumes",
        "supplementalGroups": "a container owns its volumes",
        "seccompProfile": "what a container may ask of the kernel is the same for all",
    },
    "SecurityContext": {
        "allowPrivilegeEscalation": "a container never gains rights",
        "seccompProfile": "what a container may ask of the kernel is the same for all",
    },
    "VolumeMount": {"recursiveReadOnly": "nothing is mounted below a volume"},
    "ServiceAccountTokenProjection": {"expirationSeconds": "a token ends with its pod"},
    "NodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": "a wish, and zones are filled evenly"
    },
    "PodAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": "a wish, and zones are filled evenly"},
    "PodAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": "a wish, and owners' pods spread"},
    "StatefulSetSpec": {"revisionHistoryLimit": "no history of members is kept"},
    "DaemonSetSpec": {"revisionHistoryLimit": "no history of members is kept"},
    "PersistentVolumeClaimSpec": {"storageClassName": "there is one kind of storage"},
    "ServicePort": {"appProtocol": "a word for those who read it"},
}
"""Taken without effect, and why nobody misses it."""
